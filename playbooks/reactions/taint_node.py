"""Taint the node on which the pod of an alert runs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Dict, Optional, Tuple, Union

from playbooks.core import proof
from playbooks.core.action import Action
from playbooks.core.alert import Alert
from playbooks.core.cluster.node import Node, Taint, shown
from playbooks.core.cluster.permissions import Permission
from playbooks.core.cluster.pod import Pod
from playbooks.core.containment import lifetime, tainting
from playbooks.core.containment.lifetime import Lifetime
from playbooks.core.containment.tainting import TaintMark
from playbooks.core.errors import Conflict, NotFound
from playbooks.core.outcome import Outcome
from playbooks.core.ports import Cluster, Reaction
from playbooks.core.proof import Proof
from playbooks.core.settings import Setting, label_value, one_of, qualified_name, yes_or_no

# How often the node is read again because somebody else wrote it first.
ATTEMPTS = 5


class TaintNode(Reaction):
    """Adds one taint and keeps all others. A taint of the same key and effect is left as it is.

    ``taint_host``: also taint the node that a host alert names, which nothing proves.
    """

    TARGETS = "nodes"
    TTL = "TAINT_TTL"
    SETTINGS = (
        Setting("TAINT_KEY", qualified_name, "falco/alert", "The key of the taint"),
        Setting("TAINT_VALUE", label_value, "true", "The value of the taint"),
        Setting(
            "TAINT_EFFECT",
            one_of("NoSchedule", "PreferNoSchedule", "NoExecute"),
            "NoSchedule",
            "`NoSchedule` or `PreferNoSchedule` keep new pods away; `NoExecute` evicts those there",
        ),
        Setting(
            "TAINT_HOST",
            yes_or_no,
            "false",
            "Also taint the node named by `hostname` for alerts about a process of the host",
        ),
        lifetime.ttl(
            "TAINT_TTL",
            "How long the taint stays, such as `2h`; each further alert about the node makes it"
            " stay longer. Or `off`",
        ),
        *proof.SETTINGS,
    )
    PERMISSIONS = (
        Permission("pods", ("get", "list")),
        Permission("nodes", ("get", "list", "patch"), cluster_wide=True),
    )

    def __init__(
        self,
        cluster: Cluster,
        proof: Proof,
        lifetime: Lifetime,
        *,
        key: str,
        value: str,
        effect: str,
        taint_host: bool,
    ) -> None:
        self._cluster = cluster
        self._proof = proof
        self._lifetime = lifetime
        self._taint = {"key": key, "value": value, "effect": effect}
        self._taint_host = taint_host

    def plan(self, alert: Alert) -> Union[Action, Outcome]:
        if alert.claim.host and alert.source == "syscall":
            return self._host(alert)
        proven = self._proof.of(alert)
        if isinstance(proven, Outcome):
            return proven
        pod = proven.pod
        if not pod.node:
            return Outcome.skipped("no-node", f"{pod} is on no node yet", str(pod), **proven.facts)
        return self._plan(alert, pod.node, proven.facts, pod)

    def _host(self, alert: Alert) -> Union[Action, Outcome]:
        if not self._taint_host:
            return Outcome.skipped(
                "host-alert", "the alert is about a process of the host, and TAINT_HOST is false"
            )
        node = alert.claim.node
        if not node:
            return Outcome.skipped("no-node", "the alert does not name its host (hostname)")
        return self._plan(alert, node, {"node": node, "evidence": "hostname of a host alert"})

    def _plan(
        self, alert: Alert, name: str, facts: Dict[str, Any], pod: Optional[Pod] = None
    ) -> Union[Action, Outcome]:
        found = self._change(alert, name, facts)
        if isinstance(found, Outcome):
            return found
        return Action(
            "taint",
            str(found.node),
            found.planned,
            lambda: self._carry_out(alert, found, facts),
            pod=pod,
            node=found.node,
            facts=facts,
            why=(facts["evidence"],),
        )

    def _carry_out(self, alert: Alert, change: Change, facts: Dict[str, Any]) -> Outcome:
        for _ in range(ATTEMPTS - 1):
            try:
                return self._write(change, facts)
            except Conflict:
                found = self._change(alert, change.node.name, facts)
            if isinstance(found, Outcome):
                return found
            change = found
        return self._write(change, facts)

    def _write(self, change: Change, facts: Dict[str, Any]) -> Outcome:
        node = change.node
        kept = {**tainting.marks(node), shown(self._taint): change.mark}
        self._cluster.patch_node(
            node, spec={"taints": list(change.taints)}, annotations=tainting.annotation(kept)
        )
        return Outcome.acted(str(node), change.reason, change.done, **facts, **_more(change))

    def _change(self, alert: Alert, name: str, facts: Dict[str, Any]) -> Union[Change, Outcome]:
        """What to write on the node as it is now, or the skipped outcome where that is nothing."""
        try:
            node = self._cluster.node(name)
        except NotFound:
            return Outcome.skipped("node-gone", f"there is no node {name}", f"node {name}")
        key, effect = self._taint["key"], self._taint["effect"]
        for taint in node.taints:
            if taint["key"] == key and taint["effect"] == effect:
                return self._extended(node, taint) or Outcome.skipped(
                    "already-tainted",
                    f"{node} has the taint {shown(taint)} already",
                    str(node),
                    **facts,
                )
        until = self._lifetime.ends()
        mark = TaintMark(str(self._lifetime.begins()), alert.rule, "tainted", until)
        what = f"taint {shown(self._taint)} to {node}{f' until {until}' if until else ''}"
        return Change(
            node, (*node.taints, self._taint), mark, "tainted", f"add {what}", f"added {what}"
        )

    def _extended(self, node: Node, taint: Taint) -> Optional[Change]:
        """A later end of a taint of ours."""
        mark = tainting.marks(node).get(shown(taint))
        until = self._lifetime.longer(mark.until) if mark else None
        if mark is None or until is None or shown(taint) != shown(self._taint):
            return None
        what = f"taint {shown(taint)} on {node} until {until} instead of {mark.until}"
        mark = replace(mark, until=until)
        return Change(node, node.taints, mark, "extended", f"leave {what}", f"left {what}")


@dataclass(frozen=True)
class Change:
    """What is written on a node: its whole list of taints, and what we say of ours."""

    node: Node
    taints: Tuple[Taint, ...]
    mark: TaintMark
    reason: str
    planned: str
    done: str


def _more(change: Change) -> Dict[str, Any]:
    until = {"until": str(change.mark.until)} if change.mark.until else {}
    return {"undo": f"falco-playbook undo node/{change.node.name}", **until}
