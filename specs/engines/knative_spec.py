import asyncio
import io
import json
import os
import signal
import sys
import threading
from contextlib import redirect_stderr
from unittest import mock

from expects import contain, equal, expect
from mamba import before, description, it

from playbooks.core.errors import ClusterUnavailable, NotFound, Throttled
from playbooks.delete import playbook
from playbooks.engines.http.connection import HttpRequest
from playbooks.engines.http.content_encoding import BodyRefused
from playbooks.engines.knative.service import LONG, CloudEventApi
from playbooks.testing import (
    InMemoryCluster,
    InMemoryLedger,
    a_document,
    a_pod,
    an_alert,
    some_collaborators,
)
from specs.support.engines.callers import EVENT, posted
from specs.support.engines.process import KnativeFunction
from specs.support.processes import process

changed = mock.patch.object

ALERT = a_document(output_fields=dict(an_alert().fields), rule="Zugriff auf Schlüssel")
BODY = json.dumps(ALERT).encode()

# As Falcosidekick sends it: the rule is UTF-8, which a server takes for Latin-1.
HEADERS = {
    **{name.lower().replace("_", "-"): value for name, value in EVENT.items()},
    "ce-id": "c-1",
    "ce-rule": "Zugriff auf Schlüssel".encode().decode("latin-1"),
    "ce-priority": "Notice",
    "ce-eventsource": "syscall",
}

with description("On Knative, a playbook") as self:
    with before.each:
        self.cluster, self.log = InMemoryCluster(a_pod()), io.StringIO()
        self.collaborators = some_collaborators(self.cluster)

    def ask(self, body=BODY, method="POST", path="/", headers=None, **settings):
        async def read():
            if isinstance(body, Exception):
                raise body
            return body

        api = CloudEventApi(playbook, settings, self.collaborators, patience=0.0)
        request = HttpRequest(method, path, {**HEADERS, **(headers or {})}, read)
        with redirect_stderr(self.log):
            return asyncio.run(api.answer(request))

    with it("answers an event without a body, and says what became of it in headers"):
        answer = self.ask()

        expect((answer.status, answer.body)).to(equal((200, b"")))
        expect(answer.headers).to(
            equal({"Falco-Outcome": "acted", "Falco-Reason": "deletion-accepted"})
        )

    with it("reads the rule from the alert, as its attribute is not what Falco called it"):
        topic = "falco.notice.zugriff_auf_schl_ssel"

        expect(self.ask(TOPICS=topic).headers["Falco-Reason"]).to(equal("deletion-accepted"))
        expect(json.loads(self.log.getvalue())["alert"]["rule"]).to(equal(ALERT["rule"]))
        expect(json.loads(self.log.getvalue())["event_id"]).to(equal("c-1"))

    with it("answers a structured event"):
        event = {"specversion": "1.0", "id": "c-2", "type": "t", "source": "s", "data": ALERT}
        kind = {"content-type": "application/cloudevents+json"}
        answer = self.ask(json.dumps(event).encode(), headers=kind)

        expect((answer.status, answer.headers["Falco-Reason"])).to(
            equal((200, "deletion-accepted"))
        )

    with it("puts no event on record as invalid for which there is no room yet"):
        answer = self.ask(BodyRefused(503, "too many long alerts are being sent"))

        expect((answer.status, self.log.getvalue())).to(equal((503, "")))

    with it("answers few long events at a time, which take much memory, and short ones beside"):
        api = CloudEventApi(playbook, {}, self.collaborators, patience=0.0)
        end, handle = threading.Event(), api._alerts.handle

        def held(*words, **named):
            end.wait(5)
            return handle(*words, **named)

        def asked(body):
            async def read():
                return body

            return api.answer(HttpRequest("POST", "/", HEADERS, read))

        async def go():
            long = [asyncio.ensure_future(asked(BODY.ljust(100_000))) for _ in range(20)]
            short = asyncio.ensure_future(asked(BODY))
            # Each of them is refused, or under way, after one turn of the loop.
            await asyncio.sleep(0)
            end.set()
            return [answer.status for answer in await asyncio.gather(*long, short)]

        with changed(api._alerts, "handle", held), redirect_stderr(self.log):
            statuses = asyncio.run(go())

        expect(statuses).to(equal([200] * LONG + [429] * (20 - LONG) + [200]))

    with it("refuses a batch, with the reason"):
        answer = self.ask(b"[]", headers={"content-type": "application/cloudevents-batch+json"})

        expect(answer.status).to(equal(415))
        expect(json.loads(answer.body)["error"]).to(contain("send each of them by itself"))

    with it("never answers with a status after which a broker delivers again what cannot succeed"):
        self.cluster.failures["pod"] = [NotFound("no such resource")]
        statuses = [self.ask().status, self.ask(b"{}").status, self.ask(b"").status]
        statuses += [self.ask(method="PUT").status, self.ask(BodyRefused(400, "early")).status]

        expect(set(statuses) & {404, 408, 409, 429}).to(equal(set()))
        expect([status for status in statuses if status >= 500]).to(equal([]))

    with it("has what may succeed later come again"):
        for error, status in (
            (ClusterUnavailable("no answer"), 503),
            (Throttled("busy", retry_after=3), 429),
            (BodyRefused(408, "too slow"), 503),
        ):
            if isinstance(error, BodyRefused):
                expect(self.ask(error).status).to(equal(status))
                continue
            self.cluster.failures["pod"] = [error]
            answer = self.ask(headers={"prefer": "reply"})

            expect((answer.status, answer.body)).to(equal((status, b"")))

    with it("wants the token of its deployment, where there is one"):
        token = {"EVENT_TOKEN": "a-token\n"}

        expect(self.ask(**token).status).to(equal(401))
        expect(self.ask(headers={"ce-falcotoken": "another"}, **token).status).to(equal(401))
        expect(self.cluster.calls).to(equal([]))
        expect(self.ask(headers={"ce-falcotoken": "a-token"}, **token).status).to(equal(200))

    with description("its probes"):
        with it("do not reach the playbook, and say that it is there"):
            for path in ("/healthz", "/readyz"):
                expect(self.ask(method="GET", path=path).status).to(equal(200))
            expect(self.ask(method="POST", path="/readyz").status).to(equal(405))
            expect(self.cluster.calls).to(equal([]))

        with it("say what is missing where no alert could be answered"):
            ledger = InMemoryLedger()
            ledger.failures = [NotFound("the ledger is not there")]
            self.collaborators = some_collaborators(self.cluster, ledger=ledger)
            answer = self.ask(method="GET", path="/readyz")

            expect(answer.status).to(equal(503))
            expect(answer.body.decode()).to(contain("the ledger is not there"))
            expect(self.ask(method="GET", path="/healthz").status).to(equal(200))


PROGRAM = (sys.executable, "-m", "playbooks.engines.knative")
ENVIRON = {"PATH": os.environ["PATH"], "HTTP_HOST": "127.0.0.1"}

# What is wrong, and what it says about that.
WRONG = (
    ({"PLAYBOOK": "nonsense"}, "nonsense"),
    ({"PLAYBOOK": "delete", "PORT": "x"}, "PORT is 'x'"),
    ({"PLAYBOOK": "delete", "TOPICS": "falco..x"}, "TOPICS"),
)
REFUSED = [process(*PROGRAM, env={**ENVIRON, **environ}) for environ, _ in WRONG]


# It takes a while to begin, in which other specs run.
SERVED = KnativeFunction({}).start()

with description("The program of a container on Knative") as self:
    with it("serves its playbook on PORT, and ends with SIGTERM"):
        with SERVED as function:
            status, _ = posted(function.url, b"{}", **EVENT)
            function.process.send_signal(signal.SIGTERM)
            code = function.process.wait(30)

        expect((status, code)).to(equal((422, 0)))

    with it("does not start with what is wrong, and says what"):
        for (_, why), refused in zip(WRONG, REFUSED):
            expect(refused.result().returncode).to(equal(2))
            expect(refused.result().stderr).to(contain(why))
