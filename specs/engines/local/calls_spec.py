import json
import os
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path

from expects import be_a, be_below, contain, equal, expect
from mamba import after, before, description, it

from playbooks.core.errors import NotPermitted
from playbooks.core.guards.stale import StaleAlerts
from playbooks.core.outcome import Outcome
from playbooks.core.responder import Responder
from playbooks.engines.local.calls import Calls, NoAnswer, TimedOut
from playbooks.engines.local.log_file import logged
from playbooks.engines.runtime import Runtime
from playbooks.testing import FakeReaction, FixedClock, a_document

DONE = Outcome.acted("pod shop/web-0", "done", "done")
BODY = json.dumps(a_document()).encode()


class Waiting(FakeReaction):
    """Does not answer before it is to end."""

    def __init__(self):
        super().__init__(DONE)
        self._freed = threading.Event()
        self._thread = None

    def plan(self, alert):
        self._thread = threading.current_thread()
        self._freed.wait(10)
        return super().plan(alert)

    def end(self):
        self._freed.set()
        self._thread.join(10)


with description("A call of the playbook in this process") as self:
    with before.each:
        descriptor, name = tempfile.mkstemp()
        os.close(descriptor)
        self.log, self.redirected = Path(name), ExitStack()
        self.redirected.enter_context(logged(self.log))

    with after.each:
        self.redirected.close()
        self.log.unlink()

    def calls(self, reaction, *guards, **options):
        responder = Responder(reaction, guards, FixedClock(), dry_run=False)
        return Calls(Runtime("delete", responder), **{"timeout": 10, **options})

    with it("answers with the outcome"):
        outcome = self.calls(FakeReaction(DONE)).call(BODY, "a:1")

        expect((outcome.status, outcome.target)).to(equal((DONE.status, DONE.target)))

    with it("takes the time of a recorded alert for the clock"):
        old = json.dumps(a_document(time="2020-01-02T03:04:05Z")).encode()
        answers = [
            self.calls(FakeReaction(DONE), StaleAlerts(600.0), recorded=recorded).call(old, "a:1")
            for recorded in (False, True)
        ]

        expect([answer.reason for answer in answers]).to(equal(["stale-alert", "done"]))

    with it("answers with the error of the playbook"):
        outcome = self.calls(FakeReaction(NotPermitted("may not"))).call(BODY, "a:1")

        expect(outcome.error).to(be_a(NotPermitted))

    with it("logs each outcome, with where its alert stands, and the traceback of a bug"):
        self.calls(FakeReaction(KeyError("bug"))).call(BODY, "alerts.jsonl:3")
        line = json.loads(self.log.read_text())

        expect(line["event_id"]).to(equal("alerts.jsonl:3"))
        expect(line["reason"]).to(equal("unexpected"))
        expect(line["traceback"]).to(contain("Traceback", "KeyError: 'bug'"))

    with it("has what is printed meanwhile in the log, not between the lines of the report"):
        print("to stdout")
        print("to stderr \udc80", file=sys.stderr)

        expect(self.log.read_text()).to(equal("to stdout\nto stderr \\udc80\n"))

    with it("is given up when its time is over"):
        waiting, started = Waiting(), time.monotonic()
        outcome = self.calls(waiting, timeout=0.1).call(BODY, "a:1")
        waiting.end()

        expect(outcome.error).to(be_a(TimedOut))
        expect(outcome.message).to(equal("timed out after 0.1 s"))
        expect(time.monotonic() - started).to(be_below(5))

    with it("can be given up before"):
        waiting = Waiting()
        calls = self.calls(waiting)
        timer = threading.Timer(0.1, calls.give_up)
        timer.start()
        outcome = calls.call(BODY, "a:1")
        waiting.end()

        expect(outcome.error).to(be_a(NoAnswer))
        expect(outcome.reason).to(equal("no-answer"))

    with it("leaves the next call alone where nothing is under way to be given up"):
        calls = self.calls(FakeReaction(DONE))
        calls.give_up()

        expect(calls.call(BODY, "a:1").reason).to(equal("done"))
