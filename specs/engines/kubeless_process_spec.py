import json
import os
import tempfile
import threading
import time
from pathlib import Path

from expects import be_a, be_below, contain, equal, expect
from mamba import after, before, description, it

from playbooks.core.errors import NotPermitted, Unexpected
from playbooks.core.outcome import Status
from playbooks.testing import a_document
from specs.engines.kubeless_process import NoAnswer, Processes, TimedOut, event

HANDLERS = "specs.engines.kubeless_handlers"


def call(handler, log, body=b'{"rule": "r"}', *, timeout=30):
    return Processes(HANDLERS, timeout=timeout, log=log, handler=handler).call(body)


with description("The process of an alert") as self:
    with before.each:
        descriptor, name = tempfile.mkstemp()
        os.close(descriptor)
        self.log = Path(name)

    with after.each:
        self.log.unlink()

    with it("answers with the outcome"):
        outcome = call("answering", self.log)

        expect(outcome.status).to(equal(Status.ACTED))
        expect(outcome.target).to(equal("pod shop/web-0"))

    with it("is a new one for every alert, which remembers nothing"):
        processes = Processes(HANDLERS, timeout=30, log=self.log, handler="answering")
        first, second = processes.call(b"{}"), processes.call(b"{}")

        expect([first.details["calls"], second.details["calls"]]).to(equal([1, 1]))
        expect(len({os.getpid(), first.details["process"], second.details["process"]})).to(equal(3))

    with it("gets what Kubeless' runtime gives"):
        details = call("answering", self.log, timeout=9).details

        expect(details["data"]).to(equal("{'rule': 'r'}"))
        expect(details["event"]).to(
            equal({"event-type": "application/json", "event-namespace": "natstriggers.kubeless.io"})
        )
        expect(details["context"]["timeout"]).to(equal(9))
        expect(set(details["context"])).to(
            equal({"function-name", "timeout", "runtime", "memory-limit"})
        )

    with it("answers with the outcome of a playbook behind its guards"):
        outcome = call("handler", self.log, json.dumps(a_document()).encode())

        expect(outcome.reason).to(equal("stale-alert"))

    with it("carries an error of the playbook back"):
        outcome = call("refusing", self.log)

        expect(outcome.error).to(be_a(NotPermitted))
        expect(outcome.message).to(equal("may not"))

    with it("carries a bug back as an error that was not expected"):
        expect(call("buggy", self.log).error).to(be_a(Unexpected))

    with it("is ended when its time is over"):
        started = time.monotonic()
        outcome = call("slow", self.log, timeout=0.1)

        expect(outcome.error).to(be_a(TimedOut))
        expect(time.monotonic() - started).to(be_below(5))

    with it("can be given up"):
        processes = Processes(HANDLERS, timeout=30, log=self.log, handler="slow")
        timer = threading.Timer(0.1, processes.give_up)
        timer.start()

        expect(processes.call(b"{}").error).to(be_a(NoAnswer))

    with it("is found out when it ends without an answer"):
        outcome = call("dying", self.log)

        expect(outcome.error).to(be_a(NoAnswer))
        expect(outcome.message).to(contain("exit code 7"))

    with it("is found out when its answer cannot be pickled"):
        expect(call("unreadable", self.log).error).to(be_a(NoAnswer))

    with it("is found out when it returns no outcome"):
        expect(call("confused", self.log).message).to(contain("returned 42"))

    with it("writes into the log, not between the lines of the report"):
        call("noisy", self.log)

        expect(self.log.read_text()).to(contain("to stdout", "to stderr"))


with description("The event of a message") as self:
    with it("has a JSON object parsed"):
        expect(event(b'{"a": 1}')["data"]).to(equal({"a": 1}))
        expect(event(b'{"a": 1}')["event-type"]).to(equal("application/json"))

    with it("has null as None"):
        expect(event(b"null")["data"]).to(equal(None))

    with it("keeps everything else as bytes"):
        for body in (b"[1]", b'"a"', b"nonsense", b"\xff", b""):
            expect(event(body)["data"]).to(equal(body))
            expect(event(body)["event-type"]).to(equal("application/x-www-form-urlencoded"))

    with it("keeps JSON that is nested too deeply as bytes"):
        body = b"[" * 100_000

        expect(event(body)["data"]).to(equal(body))
