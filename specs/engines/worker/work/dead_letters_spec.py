import asyncio
import io
import json
from contextlib import redirect_stderr

from expects import be_below, contain, equal, expect, have_key, have_keys
from mamba import description, it
from nats.js.api import PubAck

from playbooks.core.instant import Instant
from playbooks.core.redaction.redaction import Redaction
from playbooks.engines.worker.function import Function
from playbooks.engines.worker.metrics import Metrics
from playbooks.engines.worker.nats.delivery import Delivery, Origin, carried, plain
from playbooks.engines.worker.work.dead_letters import DeadLetters
from playbooks.engines.worker.work.verdict import Dead
from playbooks.testing import a_document

FUNCTION = Function("shop", "falco-delete", "uid-1")


class FakeJetStream:
    async def stream(self, wanted):
        return "FALCO_DEAD"

    async def last_message(self, stream, subject):
        return None

    async def store(self, subject, body, headers, *, after=None):
        self.stored = (subject, body, headers)
        return PubAck(stream="FALCO_DEAD", seq=4)


def written(body=b"{}", headers=None, most=1024 * 1024):
    jetstream = FakeJetStream()
    write(jetstream, body, Dead("invalid-alert", "is no\nalert"), headers, most)
    return jetstream.stored


def write(jetstream, body, dead, headers=None, most=1024 * 1024, *, durable=True):
    """The line that the worker's log has of it."""
    origin = Origin("FALCO", 17, Instant(5), 3)
    delivery = Delivery("falco.>", "falco.error.x", body, origin, None, headers or {}, durable)
    letters = DeadLetters(jetstream, FUNCTION, "delete", most, Metrics("delete"), Redaction())
    with redirect_stderr(io.StringIO()) as log:
        asyncio.run(letters.write([delivery], dead))
    return json.loads(log.getvalue())


with description("A dead letter") as self:
    with it("says why, and where it came from, and keeps the body"):
        subject, body, headers = written(b"nonsense")

        expect(subject).to(equal("falco-dead.falco-delete"))
        expect(body).to(equal(b"nonsense"))
        expect(headers).to(
            have_keys(
                {
                    "Falco-Reason": "invalid-alert",
                    "Falco-Message": "is no alert",
                    "Falco-Subject": "falco.error.x",
                    "Falco-Origin": "FALCO:17",
                    "Falco-Deliveries": "3",
                    "Falco-Function": "shop/falco-delete",
                    "Falco-Function-Uid": "uid-1",
                    "Falco-Playbook": "delete",
                }
            )
        )

    with it("has a line in the log that names the alert, and the ID by which it is redelivered"):
        fields = {"k8s.ns.name": "shop", "k8s.pod.name": "web-0"}
        alert = a_document(uuid="u1", rule="R --password hunter2", output_fields=fields)
        body = json.dumps(alert).encode()
        line = write(FakeJetStream(), body, Dead("stale-alert", "25m old", held=True))

        expect(line["message"]).to(
            equal(
                "FALCO:17 is held and kept as a dead letter"
                " (ID 4 of `falco-playbook dead -p delete`): 25m old"
            )
        )
        expect(line).to(
            have_keys(
                {
                    "level": "warning",
                    "playbook": "delete",
                    "event_id": "FALCO:17",
                    "reason": "stale-alert",
                    "dead_letter_id": 4,
                }
            )
        )
        expect(line["alert"]["uuid"]).to(equal("u1"))
        expect(line["claimed"]["pod"]).to(equal("web-0"))
        expect(line["alert"]["rule"]).to(equal("R --password ***"))

    with it("has a line that tells what failed from what is held"):
        line = write(FakeJetStream(), b"{}", Dead("not-permitted", "DELETE /a: no (403)"))

        expect(line["message"]).to(
            equal(
                "FALCO:17 failed and is kept as a dead letter"
                " (ID 4 of `falco-playbook dead -p delete`): DELETE /a: no (403)"
            )
        )

    with it("is none without JetStream, and its line says so"):
        line = write(FakeJetStream(), b"{}", Dead("paused", "by alice", held=True), durable=False)

        expect(line["message"]).to(
            contain("is held and is lost, without JetStream there are no dead letters: by alice")
        )
        expect(line).not_to(have_key("dead_letter_id"))

    with it("is one, also when it is written twice"):
        expect(written()[2]["Nats-Msg-Id"]).to(equal(written()[2]["Nats-Msg-Id"]))

    with it("keeps the headers of the alert, but none that tell the server what to do"):
        given = {"x-from": "falco", "Nats-Rollup": "all", "nats-ttl": "1", "Falco-Reason": "x"}

        expect(carried(given)).to(equal({"x-from": "falco"}))

    with it("keeps the trace that the sender names, where it is a valid one"):
        valid = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

        expect(carried({"Traceparent": valid, "tracestate": "a=b"})).to(
            equal({"traceparent": valid})
        )
        expect(carried({"traceparent": "00-1"})).to(equal({}))

    with it("fits into a message where the alert barely did, and says that it was cut"):
        _, body, headers = written(b"x" * 100_000, most=100_000)

        expect(len(body)).to(be_below(100_000))
        expect(headers).to(have_key("Falco-Cut", "100000 bytes"))

    with it("fits into a message also with the longest headers of the alert"):
        given = {f"x-{number}{'n' * 900}": "v" * 2000 for number in range(40)}
        given |= {f"x-{number}": "v" * 2000 for number in range(40)}
        for size in (1, 90_000, 100_000):
            _, body, headers = written(b"x" * size, given, most=100_000)
            taken = sum(len(f"{key}: {value}\r\n") for key, value in headers.items())

            expect(len(body) + taken).to(be_below(100_000))

    with it("keeps no header that a client does not send: its name is a token, and short"):
        given = dict.fromkeys(("a(b", "a{}", "=a", "@a", 'a"', "", "a b", "é", "n" * 101), "c")

        expect(carried({**given, "x-from": "falco"})).to(equal({"x-from": "falco"}))

with description("Text in a header") as self:
    with it("is one short line of ASCII"):
        expect(plain("a\r\nNats-Rollup: all\tü")).to(equal("a Nats-Rollup: all \\xfc"))
        expect(len(plain("x" * 5000))).to(equal(1000))
