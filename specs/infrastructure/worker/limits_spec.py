"""What a limit keeps waiting is acted upon by itself, through a real NATS server."""

from expects import be_above, be_empty, contain, equal, expect
from mamba import after, before, description, it

from specs.engines.worker.rig import Rig, about
from specs.support.conditions import CLUSTER, not_run_unless, program
from specs.support.loopback.nats_server import Nats
from specs.support.processes import eventually

TOPIC = "falco.error.x"

# Seconds that the window takes; the worker's claim on a message is over after two.
WINDOW = 4


with description("A worker whose alerts are over a limit") as self:
    with before.each:
        self.nats = Nats().start()
        self.rig = Rig(self.nats.url, WORKER_SPEC_WINDOW=str(WINDOW), MAX_DELIVERIES="1")
        self.rig.serve("falco.error.*")
        self.worker = self.rig.start().ready().says("subscribed to falco.error.*")

    with after.each:
        self.rig.remove()
        self.nats.remove()

    def publish(self, *pods, namespace="shop"):
        uid = "uid" if namespace == "shop" else "till"
        for pod in pods:
            body = about(pod, f"{uid}-{pod.rpartition('-')[2]}", namespace)
            self.nats.publish((TOPIC, body))

    def outcome(self, pod, reason, worker=None, namespace="shop"):
        """Of a pod, as soon as it is in the log."""

        def found():
            outcomes = (worker or self.worker).outcomes
            wanted = (f"pod {namespace}/{pod}", reason)
            return [o for o in outcomes if (o["target"], o["reason"]) == wanted]

        return eventually(found)[0]

    def dead(self):
        return [message["headers"]["Falco-Reason"] for message in self.nats.messages("FALCO_DEAD")]

    with it("acts upon it by itself when the window allows it, at no delivery's cost"):
        self.publish("web-0")
        first = self.outcome("web-0", "deletion-accepted")
        self.publish("web-1")
        waits = self.outcome("web-1", "owner-limit")
        done = self.outcome("web-1", "deletion-accepted")

        expect(first["details"]["delivery"]).to(equal(1))
        expect(waits["message"]).to(contain("its replacement may have the same hole"))
        expect(waits["details"]["again_in"]).to(be_above(2))
        expect(done["details"]["delivery"]).to(equal(1))
        eventually(lambda: not self.nats.consumers()[0]["num_ack_pending"])
        expect(self.nats.consumers()[0]["num_redelivered"]).to(equal(0))
        expect(self.dead()).to(be_empty)

    with it("answers others meanwhile, and asks one of those that wait after the other"):
        self.publish("web-0")
        self.outcome("web-0", "deletion-accepted")
        self.publish(*(f"web-{number}" for number in range(1, 4)))
        for number in range(1, 4):
            self.outcome(f"web-{number}", "owner-limit")
        self.publish("till-0", namespace="till")
        self.outcome("till-0", "deletion-accepted", namespace="till")
        for number in range(1, 4):
            self.outcome(f"web-{number}", "deletion-accepted")
        acted = [o["target"] for o in self.worker.outcomes if o["status"] == "acted"]

        expect(acted[:2]).to(equal(["pod shop/web-0", "pod till/till-0"]))
        expect(sorted(acted[2:])).to(equal([f"pod shop/web-{number}" for number in range(1, 4)]))
        expect(self.dead()).to(be_empty)

    with it("hands it over to the next worker where it ends meanwhile"):
        self.publish("web-0")
        self.outcome("web-0", "deletion-accepted")
        self.publish("web-1")
        self.outcome("web-1", "owner-limit")
        expect(self.worker.end()).to(equal(0))
        other = self.rig.start(MAX_DELIVERIES="2").ready()

        self.outcome("web-1", "deletion-accepted", other)
        expect(self.dead()).to(be_empty)


not_run_unless(CLUSTER, globals())
not_run_unless(program("nats-server"), globals())
