"""Taint the node on which the pod of an alert runs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Dict, Optional, Tuple, Union

from playbooks.core import proof
from playbooks.core.action import Action
from playbooks.core.alert import Alert
from playbooks.core.cluster.node import Node, Taint, shown
from playbooks.core.cluster.permissions import PREFIX, Changes, Permission
from playbooks.core.cluster.pod import Pod
from playbooks.core.conflicts import until_written
from playbooks.core.containment import lifetime, tainting
from playbooks.core.containment.containment import undo_command
from playbooks.core.containment.lifetime import Lifetime
from playbooks.core.containment.note import Note
from playbooks.core.containment.tainting import Tainting
from playbooks.core.errors import NotFound
from playbooks.core.outcome import Outcome
from playbooks.core.ports import Cluster
from playbooks.core.proof import Proof
from playbooks.core.reaction import Reaction
from playbooks.core.settings import Setting, label_value, one_of, qualified_name, yes_or_no

# CEL. Which key TAINT_KEY names is not known where the policy is made.
_KEEPS_FOREIGN_TAINTS = (
    f"oldObject.spec.?taints.orValue([]).filter(t, !t.key.startsWith('{PREFIX}'))"
    ".all(t, t in object.spec.?taints.orValue([]))"
)


class TaintNode(Reaction):
    """Adds one taint and keeps all others. A taint of the same key and effect is left as it is.

    ``taint_host``: also taint the node that a host alert names, which nothing proves.
    """

    TARGETS = "nodes"
    CONTAINMENT = Tainting
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
            "How long the taint stays, such as `2h`; each further alert about the node extends"
            " that. Or `off`",
        ),
        *proof.SETTINGS,
    )
    PERMISSIONS = (
        Permission("pods", ("get", "list")),
        Permission("nodes", ("get", "list", "patch"), cluster_wide=True),
    )

    CHANGES = (
        Changes(
            "nodes",
            spec=("taints",),
            rules={
                _KEEPS_FOREIGN_TAINTS: (
                    f"adds taints to a node, and changes or removes none but {PREFIX}*"
                )
            },
        ),
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

    @property
    def evicts(self) -> bool:
        return self._taint["effect"] == "NoExecute"

    def counts(self, node: Node) -> bool:
        """Whoever added the taint."""
        return node.has_taint(self._taint["key"], self._taint["effect"])

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
        found: Union[Change, Outcome] = change

        def write() -> Outcome:
            return found if isinstance(found, Outcome) else self._write(found, facts)

        def read_again(_: int) -> None:
            nonlocal found
            found = self._change(alert, change.node.name, facts)

        return until_written(write, between=read_again)

    def _write(self, change: Change, facts: Dict[str, Any]) -> Outcome:
        node = change.node
        kept = {**tainting.notes(node), shown(self._taint): change.note}
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
        note = Note(str(self._lifetime.begins()), alert.rule, "tainted", until)
        what = f"taint {shown(self._taint)} to {node}{f' until {until}' if until else ''}"
        return Change(
            node, (*node.taints, self._taint), note, "tainted", f"add {what}", f"added {what}"
        )

    def _extended(self, node: Node, taint: Taint) -> Optional[Change]:
        """A later end of a taint of ours."""
        note = tainting.notes(node).get(shown(taint))
        until = self._lifetime.longer(note.until) if note else None
        if note is None or until is None or shown(taint) != shown(self._taint):
            return None
        what = f"taint {shown(taint)} on {node} until {until} instead of {note.until}"
        note = replace(note, until=until)
        return Change(node, node.taints, note, "extended", f"leave {what}", f"left {what}")


@dataclass(frozen=True)
class Change:
    """What is written on a node: its whole list of taints, and what we say of ours."""

    node: Node
    taints: Tuple[Taint, ...]
    note: Note
    reason: str
    planned: str
    done: str


def _more(change: Change) -> Dict[str, Any]:
    until = {"until": str(change.note.until)} if change.note.until else {}
    return {"undo": undo_command(change.node), **until}
