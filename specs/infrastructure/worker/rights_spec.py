"""A worker that lost its rights, through a real NATS server, on a fake cluster."""

from expects import be_empty, contain, equal, expect
from mamba import after, before, description, it

from specs.engines.worker.rig import Rig, about
from specs.support.conditions import CLUSTER, not_run_unless, program
from specs.support.loopback.nats_server import Nats
from specs.support.processes import eventually

with description("A worker that is refused what it asks") as self:
    with before.each:
        self.nats = Nats().start()
        self.rig = Rig(self.nats.url, WORKER_SPEC_WINDOW="60", MAX_DELIVERIES="1")
        self.rig.serve("falco.error.*")
        self.worker = self.rig.start().ready().says("subscribed to falco.error.*")

    with after.each:
        self.rig.remove()
        self.nats.remove()

    def publish(self, *pods):
        for pod in pods:
            uid = f"till-{pod.rpartition('-')[2]}"
            self.nats.publish(("falco.error.x", about(pod, uid, "till")))

    def dead(self):
        return [message["headers"]["Falco-Reason"] for message in self.nats.messages("FALCO_DEAD")]

    def deleted(self):
        done = [o["target"] for o in self.worker.outcomes if o["reason"] == "deletion-accepted"]
        return set(done)

    with it("for any alert stops the intake, costs no delivery, and is said, until it may again"):
        (self.rig.directory / "unbound").touch()
        self.publish("till-0", "till-1")
        self.worker.says("its role or binding is gone, and deploying again makes it: alerts wait")

        status, said = self.worker.get("/readyz")
        expect((status, "the account may not get pods" in said)).to(equal((503, True)))
        expect(self.worker.metric('playbook_api_unavailable{playbook="delete"}')).to(equal(1))
        self.publish("till-2")
        (self.rig.directory / "unbound").unlink()
        eventually(lambda: self.deleted() == {f"pod till/till-{n}" for n in range(3)})
        eventually(self.nats.settled)
        expect(self.dead()).to(be_empty)
        self.worker.ready().says("alerts are answered again")

    with it("of one object keeps that alert as a dead letter, and answers the others"):
        (self.rig.directory / "denied").write_text("till-0")
        self.publish("till-0", "till-1")
        eventually(lambda: "pod till/till-1" in self.deleted())
        eventually(lambda: self.dead() == ["not-permitted"])

        expect(self.worker.get("/readyz")[0]).to(equal(200))
        expect(self.worker.log).not_to(contain("alerts wait"))


# Needs no cluster, but a real NATS server.
not_run_unless(CLUSTER, globals())
not_run_unless(program("nats-server"), globals())
