"""What a run acts on, and what that looks like afterwards."""

from __future__ import annotations

from functools import partial
from typing import Any, Callable, Iterable, List, Mapping, Optional, Sequence, Tuple

from playbooks.core.alert import Alert
from playbooks.core.cluster.network_policy import LABEL, own_name
from playbooks.core.cluster.node import Node, shown
from playbooks.core.cluster.pod import Pod
from playbooks.core.cluster.policies.denying import kind_called
from playbooks.core.cluster.policies.kinds import kind_of
from playbooks.core.errors import NotFound, PlaybookError
from playbooks.core.outcome import Outcome
from playbooks.core.playbook import Playbook
from playbooks.core.ports import Cluster

Row = Tuple[str, str, str]


class Target:
    """No cluster, as for a playbook that needs none.

    ``words``: paragraphs that say what it is. ``title``: of the table at the end. ``next_steps``:
    what to do after it, in lines.
    """

    words: Sequence[str] = ()
    title = ""
    next_steps: Sequence[str] = ()

    def wired(self, playbook: Playbook) -> Playbook:
        """The playbook, with collaborators that act on this."""
        return playbook

    def expect(self, alerts: Iterable[Alert]) -> None:
        """These are going to come, or come now."""

    def afterwards(self, _acted: Sequence[Outcome]) -> List[Row]:
        return []


def pod_row(name: str, pod: Optional[Pod], *, uid: str = "") -> Row:
    """``uid``: that of the pod that was there, where it is known."""
    return "pod", name, _pod_state(pod, uid)


def node_row(node: Node) -> Row:
    cordoned = "cordoned, " if node.unschedulable else ""
    return "node", node.name, f"{cordoned}taints {', '.join(map(shown, node.taints)) or 'none'}"


def policy_row(policy: Mapping[str, Any]) -> Row:
    metadata, spec = policy["metadata"], policy["spec"]
    kinds = spec.get("policyTypes") or ["Ingress"]
    rules = [f"{'some' if spec.get(kind.lower()) else 'no'} {kind.lower()}" for kind in kinds]
    name = f"{metadata['namespace']}/{metadata['name']}"
    kind = kind_of(policy)
    if kind is not None:
        return "policy", name, f"{kind} for {_selected(policy)}"
    return "policy", name, f"{' and '.join(rules)} for {_selected(policy)}"


def _selected(policy: Mapping[str, Any]) -> str:
    for owner in policy["metadata"].get("ownerReferences") or ():
        if owner["kind"] == "Pod":
            return f"pod {owner['name']}"
    labels = (policy["spec"].get("podSelector") or {}).get("matchLabels") or {}
    return f"pods {', '.join(f'{key}={value}' for key, value in labels.items())}".rstrip()


def of_cluster(cluster: Cluster, acted: Iterable[Outcome]) -> List[Row]:
    """The objects that were acted on, read again."""
    rows: List[Row] = []
    for outcome in acted:
        kind, _, name = outcome.target.partition(" ")
        if kind == "node":
            rows += _read(kind, name, partial(_node, cluster, name))
        if kind == "pod":
            uid = str(outcome.details.get("uid") or "")
            rows += _read(kind, name, partial(_pod, cluster, name, uid))
        if outcome.details.get("policy"):
            policy = f"{name.partition('/')[0]}/{outcome.details['policy']}"
            stored = str(outcome.details.get("policy_kind") or "")
            rows += _read("policy", policy, partial(_policy, cluster, policy, stored))
    return list(dict.fromkeys(rows))


def _node(cluster: Cluster, name: str) -> Row:
    return node_row(cluster.node(name))


def _pod(cluster: Cluster, target: str, uid: str) -> Row:
    namespace, _, name = target.partition("/")
    return pod_row(target, cluster.pod(name, namespace=namespace), uid=uid)


def _policy(cluster: Cluster, target: str, stored: str) -> Row:
    """``stored``: its kind, where that is not NetworkPolicy."""
    namespace, _, name = target.partition("/")
    for policy in cluster.network_policies(namespace, kind_called(stored)):
        if own_name(policy) == name:
            return policy_row(policy)
    raise NotFound(target)


def _read(kind: str, name: str, read: Callable[[], Row]) -> List[Row]:
    try:
        return [read()]
    except NotFound:
        return [(kind, name, "gone")]
    except PlaybookError as error:
        return [(kind, name, f"could not be read again: {error}")]


def _pod_state(pod: Optional[Pod], uid: str) -> str:
    if pod is None:
        return "gone"
    if uid and pod.uid != uid:
        return "gone; another one has its name"
    if pod.terminates_at:
        return f"terminating, until {pod.terminates_at.to_the_second}"
    state = pod.phase.lower() or "there"
    if LABEL in pod.labels:
        state += f", labelled {LABEL}"
    return f"{state}, on {pod.node}" if pod.node else state
