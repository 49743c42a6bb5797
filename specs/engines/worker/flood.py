"""Alerts about one pod by the thousand, and a worker that may ask its cluster 50 times a second."""

import json
import uuid

from specs.engines.worker.rig import Rig, moment
from specs.support.loopback.nats_server import Nats

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
