"""falco-playbook check on a cluster in memory, on which nothing is wrong unless a spec says so."""

import json

from playbooks.core.outcome import Outcome, Status
from playbooks.deployment.manifests import admission_policies
from playbooks.engines.worker.operator.protocol import HISTORY
from specs.commands.fake_cluster import FakeCluster, a_cluster, answer, run

SEEN = {
    "about": "alerts",
    "read": 10,
    "invalid": 1,
    "about_none": 3,
    "identified": 6,
    "unidentified": {},
    "hosts": {"node-1": 9},
    "passed": 7,
    "refused": {"rule-not-listed": 2},
    "words": {"rule-not-listed": "rule 'R' is none of RULES (Q)"},
    "cut": False,
}
NATS = {"about": "nats", "servers": "nats://nats:4222"}
STREAM = {"about": "stream", "name": "FALCO"}
A_NODE = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}, "spec": {}}


def an_outcome(status, reason):
    """A line of the worker's."""
    return Outcome(Status(status), reason, "", "pod shop/web-0").to_dict()


DONE = (an_outcome("acted", "isolated"), an_outcome("skipped", "gone"))


# Each cluster makes a copy of what it stores.
POLICIES = (*admission_policies.policies(),)


class Checked(FakeCluster):
    """``outcomes``: of the last day."""

    outcomes = answer(*DONE)

    def execute(self, namespace, pod, container, command, **how):
        said = super().execute(namespace, pod, container, command)
        return self.outcomes if HISTORY in command else said


def inspected(**changes):
    """What a worker says where everything is as it should be, but for these."""
    lines = {
        **{"nats": NATS, "strangers": {"about": "strangers"}, "stream": STREAM},
        **{"records": {"about": "records", "refused": []}, "alerts": SEEN},
    }
    changed = {about: {**line, **changes.get(about, {})} for about, line in lines.items()}
    return answer(*changed.values())


def ready(*typed, playbook="isolate", **options):
    """A cluster on which nothing is wrong."""
    also = (*POLICIES, A_NODE)
    pods = (f"falco-{playbook}-1",)
    options = {"kind": Checked, **options}
    made = a_cluster(*typed, playbook=playbook, pods=pods, also=also, **options)
    made.says = inspected()
    return made


def checked(cluster, *words, playbook="isolate"):
    said = run("check", "-p", playbook, "-o", "json", *words, cluster=cluster)
    found = {each["check"]: each for each in json.loads(said.out)["checks"]}
    return said.code, {name: each["status"] for name, each in found.items()}, found


def statuses(cluster, *words, **options):
    return checked(cluster, *words, **options)[1]


def the_finding(cluster, check, *words, playbook="isolate"):
    """Its status, what it says and what to do."""
    found = checked(cluster, *words, playbook=playbook)[2][check]
    return found["status"], found["says"], found["do"]
