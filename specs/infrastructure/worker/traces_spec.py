import json

from expects import contain, equal, expect, have_key, have_len
from mamba import after, before, description, it

from specs.engines.worker.rig import Rig, an_alert
from specs.support.conditions import CLUSTER, not_run_unless
from specs.support.loopback.nats_server import Nats
from specs.support.loopback.otlp_receiver import OtlpReceiver
from specs.support.processes import eventually

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
HEADER = f"00-{TRACE}-{PARENT}-00"


def publish(nats, name, rule="ok", **headers):
    """As a publisher does that names a trace."""

    async def use(connection):
        await connection.publish("falco.error.x", an_alert(name, rule), headers=headers)

    nats.run(use)


with description("A worker whose alerts name a trace") as self:
    with before.each:
        self.nats = Nats().start()
        self.nats.stream("FALCO", "falco.>")
        self.rig = Rig(self.nats.url)
        self.rig.serve("falco.error.*")

    with after.each:
        self.rig.remove()
        self.nats.remove()

    def recorded(self, number):
        """The outcomes in the stream, once there are so many."""

        def read():
            found = self.nats.messages("FALCO_OUTCOMES")
            return [json.loads(each["body"]) for each in found] if len(found) >= number else None

        return eventually(read)

    with it("keeps that of the message in log, outcome and dead letter, and sends spans to it"):
        with OtlpReceiver() as receiver:
            worker = self.rig.start(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url).ready()
            publish(self.nats, "a", traceparent=HEADER)
            publish(self.nats, "b", rule="forbidden", traceparent=HEADER)
            outcomes = self.recorded(2)
            expect(worker.end()).to(equal(0))

        expect({each["trace_id"] for each in outcomes}).to(equal({TRACE}))
        expect({each["trace_id"] for each in worker.outcomes}).to(equal({TRACE}))
        (letter,) = self.nats.messages("FALCO_DEAD")
        expect(letter["headers"]["Falco-Trace-Id"]).to(equal(TRACE))
        expect(letter["headers"]["traceparent"]).to(equal(f"00-{TRACE}-{PARENT}-01"))
        expect(receiver.named("alert")).to(have_len(2))
        (alert,) = [span for span in receiver.named("alert") if not span["failed"]]
        expect((alert["trace_id"], alert["parent"])).to(equal((TRACE, PARENT)))
        expect({s["name"] for s in receiver.spans if s["parent"] == alert["span_id"]}).to(
            contain("proof", "guards of the action", "action")
        )
        expect(alert["resource"]["k8s.namespace.name"]).to(equal("specs"))

    with it("keeps that of a POST, also where no spans are sent, and none that is not valid"):
        worker = self.rig.start().ready()
        status, text = worker.post(an_alert("c"), traceparent=HEADER)
        expect((status, json.loads(text)["trace_id"])).to(equal((200, TRACE)))

        _, text = worker.post(an_alert("d"), traceparent=HEADER + "\u00e9" * 9)
        expect(json.loads(text)).not_to(have_key("trace_id"))

    with it("answers alerts also where nobody takes the spans"):
        worker = self.rig.start(OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9").ready()
        publish(self.nats, "e")

        self.rig.acted("e")
        expect(self.recorded(1)[0]["trace_id"]).to(have_len(32))
        expect(worker.end()).to(equal(0))

not_run_unless(CLUSTER, globals())
