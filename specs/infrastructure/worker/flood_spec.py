import json
import os
import time
import uuid

from expects import be_below, contain, equal, expect, have_len
from mamba import after, description, it

from specs.engines.worker.rig import Nats, Rig, eventually, moment
from specs.support.conditions import CLUSTER, not_run_unless

# The whole attack is one of 30,000.
FLOOD = int(os.environ.get("WORKER_FLOOD", "5000"))

PODS = {("shop", "loud"): str(uuid.uuid4()), ("bank", "quiet"): str(uuid.uuid4())}


def about(namespace, pod, number=0, priority="Notice"):
    fields = {
        "k8s.ns.name": namespace,
        "k8s.pod.name": pod,
        "k8s.pod.uid": PODS[(namespace, pod)],
        "proc.cmdline": f"sh -c {number} {'x' * 400}",
    }
    return json.dumps(
        {
            "rule": "Terminal shell in container",
            "priority": priority,
            "time": moment()[:-1] + f".{number:09}Z",
            "output": f"shell {number}",
            "source": "syscall",
            "hostname": "node-1",
            "output_fields": fields,
        }
    ).encode()


class Flood:
    def __init__(self, **settings):
        self.nats = Nats().start()
        self.rig = Rig(self.nats.url)
        lines = [f"{namespace} {name} {uid}\n" for (namespace, name), uid in PODS.items()]
        (self.rig.directory / "pods").write_text("".join(lines))
        self.rig.serve("falco.>")
        self.worker = self.rig.start("slow_child", **settings).ready()
        self.worker.says("subscribed to falco.>")

    def publish(self, *bodies):
        self.nats.publish(*[("falco.notice.shell", body) for body in bodies])

    def actions(self):
        return dict(line.split() for line in self.rig.actions)

    def outcomes(self):
        lines = self.worker.get("/metrics")[1].splitlines()
        found = [line for line in lines if line.startswith("playbook_outcomes_total{")]
        return sum(float(line.rpartition(" ")[2]) for line in found)

    def remove(self):
        self.rig.remove()
        self.nats.remove()


with description("A flood of alerts about one pod") as self:
    with after.each:
        self.flood.remove()

    with it("delays the alert of another namespace by less than 2 s, at 50 calls a second"):
        flood = self.flood = Flood(MAX_PER_OWNER="off")
        flood.publish(*[about("shop", "loud", number) for number in range(50)])
        eventually(flood.nats.settled)
        flood.publish(*[about("shop", "loud", number) for number in range(FLOOD)])
        published = time.time()
        flood.publish(about("bank", "quiet"))
        eventually(lambda: "quiet" in flood.actions(), 60)
        delay = float(flood.actions()["quiet"]) - published
        print(f" {FLOOD} alerts delay another's by {delay:.2f} s ", end="")

        expect(delay).to(be_below(2.0))
        eventually(flood.nats.settled, 60)
        expect(flood.outcomes()).to(equal(FLOOD + 50 + 1))
        expect(flood.worker.log).to(contain('"answered_along"'))

    with it("that are held is one dead letter, with their number"):
        flood = self.flood = Flood(MAX_ALERT_AGE="1s")
        old = about("shop", "loud").replace(moment()[:17].encode(), b"2026-01-02T03:04:")
        flood.publish(*[old] * 300)
        eventually(flood.nats.settled, 60)
        eventually(lambda: len(flood.nats.messages("FALCO_DEAD")) == 1)
        (letter,) = flood.nats.messages("FALCO_DEAD")

        expect(letter["headers"]["Falco-Reason"]).to(equal("stale-alert"))
        expect(letter["headers"]["Falco-Count"]).to(equal("300"))
        expect(flood.rig.actions).to(have_len(0))


not_run_unless(CLUSTER, globals())
