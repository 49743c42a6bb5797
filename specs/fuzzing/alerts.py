"""Mutated alerts against parsing and all playbooks, behind their guards.

``python -m specs.fuzzing.alerts [COUNT]``, 10,000 unless told otherwise.

Starts from the recorded alerts and from alerts about the pods of a small cluster, breaks them in
places that matter, and holds every answer to two rules: no error from outside our own tree, and no
action on anything but the pod (or its node) that the alert's own ids prove.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any, Callable, Dict, List

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from playbooks.core import catalogue
from playbooks.core.alert import Alert
from playbooks.core.cluster.pod import Pod
from playbooks.core.errors import InvalidAlert
from playbooks.core.notifications.facts import MessageOptions
from playbooks.core.outcome import Status
from playbooks.core.playbook import Playbook
from playbooks.core.reaction import OBJECTS, Reaction
from playbooks.core.redaction.redaction import Redaction
from playbooks.core.responder import Responder
from playbooks.reactions.call_webhook import CallWebhook
from playbooks.reactions.notify_services import NotifyServices
from playbooks.reactions.notify_slack import NotifySlack
from playbooks.testing import (
    CONTAINER,
    OTHER_CONTAINER,
    OTHER_UID,
    UID,
    FakeEvidence,
    FixedClock,
    InMemoryCluster,
    RecordingNotifier,
    RecordingSlack,
    RecordingWebhook,
    a_document,
    a_pod,
    a_ready_node,
    a_replica_controller,
    a_status,
    some_collaborators,
)

RECORDED = Path(__file__).parents[1] / "support" / "alerts" / "falco_alerts.jsonl"

FIELDS = [
    *("k8s.ns.name", "k8s.pod.name", "k8s.pod.uid", "k8s.pod.id", "container.id"),
    *("k8smeta.ns.name", "k8smeta.pod.name", "k8smeta.pod.uid", "container.name"),
    *("ka.target.resource", "ka.target.namespace", "ka.target.name", "ka.response.code"),
    *("ka.verb", "ka.uri", "ka.target.subresource", "ka.resp.name"),
]
VALUES = [
    *("shop", "kube-system", "web-0", "db-0", "node-1", UID, OTHER_UID, "pods", "200", "host"),
    *(CONTAINER, CONTAINER[:12], CONTAINER[:11], OTHER_CONTAINER[:12], CONTAINER[:12].upper()),
    *("", "<NA>", None, "0" * 12, "../../nodes/node-1", "a,b=c", "syscall", "k8s_audit"),
    *("internal", "Emergency", "info", "2026-01-02T03:04:04Z", "9999-12-31T23:59:59+23:59"),
]
KEYS = ["rule", "priority", "time", "output", "source", "hostname", "tags", "output_fields", "uuid"]


def about_a_pod() -> Dict[str, Any]:
    fields = {"k8s.ns.name": "shop", "k8s.pod.name": "web-0", "container.id": CONTAINER[:12]}
    return a_document(output_fields=fields)


BINDINGS = "/apis/rbac.authorization.k8s.io/v1/namespaces/shop/rolebindings"


def about_a_binding() -> Dict[str, Any]:
    fields = {
        "ka.verb": "create",
        "ka.uri": BINDINGS,
        "ka.response.code": "201",
        "ka.target.resource": "rolebindings",
        "ka.target.namespace": "shop",
        "ka.target.name": "mine",
    }
    return a_document(source="k8s_audit", output_fields=fields)


def a_binding() -> Dict[str, Any]:
    """Created in the second of the alert."""
    metadata = {"name": "mine", "namespace": "shop", "uid": "u-1"}
    created = a_document()["time"].partition(".")[0] + "Z"
    return {"kind": "RoleBinding", "metadata": {**metadata, "creationTimestamp": created}}


def recorded() -> List[Dict[str, Any]]:
    return [json.loads(line) for line in RECORDED.read_text(encoding="utf-8").splitlines()]


anything = st.one_of(
    st.sampled_from(VALUES),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
        ),
        max_leaves=5,
    ),
)


@st.composite
def alerts(draw: Any) -> Any:
    """A document with a few of its keys and fields replaced or taken out, or its broken JSON."""
    document = dict(
        draw(st.sampled_from([about_a_pod()] * 30 + [about_a_binding()] * 15 + recorded()))
    )
    fields = dict(document.get("output_fields") or {})
    for _ in range(draw(st.integers(0, 3))):
        fields[draw(st.sampled_from(FIELDS))] = draw(anything)
    document["output_fields"] = fields
    for _ in range(draw(st.integers(0, 2))):
        key = draw(st.sampled_from(KEYS))
        if draw(st.booleans()):
            document[key] = draw(anything)
        else:
            document.pop(key, None)
    body: Any = document
    if draw(st.integers(0, 9)) == 0:
        text = json.dumps(document).encode()
        start = draw(st.integers(0, len(text)))
        body = text[:start] + draw(st.binary(max_size=3)) + text[start + 1 :]
    return body


def a_cluster() -> InMemoryCluster:
    return InMemoryCluster(
        a_pod(owner="ReplicaSet/web"),
        a_replica_controller("web", labels={"app": "web"}),
        a_pod("db-0", uid=OTHER_UID, statuses=[a_status(container_id=OTHER_CONTAINER)]),
        a_pod(
            "web-0",
            namespace="kube-system",
            uid="decoy",
            statuses=[a_status(container_id="e" * 64)],
        ),
        a_ready_node("node-1"),
        a_ready_node("node-2"),
        a_binding(),
    )


def proves(body: Any, pod: Pod) -> bool:
    """The rule again, written down a second time: the alert's uid or container id is the pod's."""
    if isinstance(body, bytes):
        body = json.loads(body.decode("utf-8", "replace"), strict=False)
    fields = body["output_fields"]
    uids = [fields.get(key) for key in ("k8s.pod.uid", "k8s.pod.id", "k8smeta.pod.uid")]
    given = fields.get("container.id")
    usable = isinstance(given, str) and re.fullmatch("[0-9a-fA-F]{12,64}", given)
    ids = [known for container in pod.containers for known in container.ids]
    return pod.uid in uids or bool(usable and any(known.startswith(given.lower()) for known in ids))


# Reactions that change nothing in the cluster, with fakes of what they tell.
TELLING: Dict[str, Callable[[], Reaction]] = {
    "slack": lambda: NotifySlack(RecordingSlack()),
    "notify": lambda: NotifyServices(RecordingNotifier(), Redaction(), MessageOptions()),
    "webhook": lambda: CallWebhook(RecordingWebhook(), Redaction()),
}


def names_the_binding(body: Any) -> bool:
    """The rule again: who says that it was created, and when, in so many fields."""
    if isinstance(body, bytes):
        body = json.loads(body.decode("utf-8", "replace"), strict=False)
    fields = body["output_fields"]
    given = [fields.get(key) for key in ("ka.target.name", "ka.resp.name")]
    names = [name for name in given if name not in (None, "", "<NA>")]
    created = fields.get("ka.verb") == "create" and str(fields.get("ka.response.code")) == "201"
    return created and fields.get("ka.uri") == BINDINGS and set(map(str, names)) == {"mine"}


# What some cannot do without, and those that act upon a pod and change nothing of it.
NEEDED = {"chain": {"STEPS": "delete"}, "evidence": {"EVIDENCE_URL": "s3://evidence"}}
READING = ("evidence",)


def responder(name: str, cluster: InMemoryCluster) -> Responder:
    """The playbook behind all its guards, as its entrypoint wires it."""
    if name in TELLING:
        return Responder(TELLING[name](), [], FixedClock(), dry_run=False)
    playbook: Playbook = catalogue.load(name)
    collaborators = some_collaborators(cluster, evidence=FakeEvidence())
    return playbook.responder({"MAX_ALERT_AGE": "off", **NEEDED.get(name, {})}, collaborators)


# What each playbook changes: pods, nodes, or nothing in the cluster.
TARGETS = {name: catalogue.load(name).reaction.TARGETS for name in catalogue.names()}


def check(body: Any, seen: Counter) -> None:
    try:
        Alert.parse(body)
    except InvalidAlert:
        seen["no alert"] += 1
    for name, targets in TARGETS.items():
        cluster = a_cluster()
        before = dict(cluster.pods)
        outcome = responder(name, cluster).answer(body)
        seen[f"{name} {outcome.status}"] += 1
        assert outcome.reason != "unexpected", (name, outcome, body)
        json.dumps(outcome.to_dict())
        changed = [pod for key, pod in before.items() if cluster.pods.get(key) != pod]
        # The node of a pod, or the workload that it belongs to.
        if (targets == "nodes" and cluster.writes) or (targets == "pods" and not changed):
            changed = [pod for pod in before.values() if cluster.writes and proves(body, pod)]
            assert changed or not cluster.writes, (name, outcome, body)
        assert all(proves(body, pod) for pod in changed), (name, outcome, body)
        if targets == OBJECTS:
            changed = [] if cluster.objects("RoleBinding") else [a_binding()]
            assert not changed or names_the_binding(body), (name, outcome, body)
        if name in READING and outcome.status == Status.ACTED:
            assert not cluster.writes, (name, outcome, body)
            changed = [pod for pod in before.values() if proves(body, pod)]
        if targets and outcome.status == Status.ACTED:
            assert changed, (name, outcome, body)
        if outcome.status in (Status.SKIPPED, Status.FAILED):
            assert not cluster.writes, (name, outcome, body)


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    seen: Counter = Counter()

    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(alerts())
    def fuzz(body: Any) -> None:
        seen["alerts"] += 1
        check(body, seen)

    fuzz()
    print(f"{seen.pop('alerts')} mutated alerts; of these {seen.pop('no alert', 0)} were none")
    for what, times in sorted(seen.items()):
        print(f"  {what}: {times}")
    acted = [seen[f"{name} acted"] for name in TARGETS]
    if min(acted) < count // 100:
        print("too few were acted upon for this to prove anything", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
