"""Taint the node on which the pod of an alert runs."""

from __future__ import annotations

from typing import Any, Dict, Optional, Union

from playbooks.core import proof
from playbooks.core.action import Action
from playbooks.core.alert import Alert
from playbooks.core.errors import Conflict, NotFound
from playbooks.core.node import Node, Taint
from playbooks.core.outcome import Outcome
from playbooks.core.permissions import Permission
from playbooks.core.pod import Pod
from playbooks.core.ports import Cluster, Reaction
from playbooks.core.proof import Proof
from playbooks.core.settings import Setting, label_value, one_of, qualified_name, yes_or_no

# How often the node is read again because somebody else wrote it first.
ATTEMPTS = 5


class TaintNode(Reaction):
    """Adds one taint and keeps all others. A taint of the same key and effect is left as it is.

    ``taint_host``: also taint the node that a host alert names, which nothing proves.
    """

    STRIKES = "nodes"
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
        *,
        key: str,
        value: str,
        effect: str,
        taint_host: bool,
    ) -> None:
        self._cluster = cluster
        self._proof = proof
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
        return self._plan(pod.node, proven.facts, pod)

    def _host(self, alert: Alert) -> Union[Action, Outcome]:
        if not self._taint_host:
            return Outcome.skipped(
                "host-alert", "the alert is about a process of the host, and TAINT_HOST is false"
            )
        node = alert.claim.node
        if not node:
            return Outcome.skipped("no-node", "the alert does not name its host (hostname)")
        return self._plan(node, {"node": node, "evidence": "hostname of a host alert"})

    def _plan(
        self, name: str, facts: Dict[str, Any], pod: Optional[Pod] = None
    ) -> Union[Action, Outcome]:
        node = self._untainted(name, facts)
        if isinstance(node, Outcome):
            return node
        return Action(
            "taint",
            str(node),
            f"add taint {_shown(self._taint)} to {node}",
            lambda: self._add(node, facts),
            pod=pod,
            node=node,
            facts=facts,
            why=(facts["evidence"],),
        )

    def _add(self, node: Node, facts: Dict[str, Any]) -> Outcome:
        for _ in range(ATTEMPTS - 1):
            try:
                return self._set(node, facts)
            except Conflict:
                found = self._untainted(node.name, facts)
            if isinstance(found, Outcome):
                return found
            node = found
        return self._set(node, facts)

    def _set(self, node: Node, facts: Dict[str, Any]) -> Outcome:
        self._cluster.set_taints(node, taints=[*node.taints, self._taint])
        said = f"added taint {_shown(self._taint)} to {node}"
        return Outcome.acted(str(node), "tainted", said, **facts)

    def _untainted(self, name: str, facts: Dict[str, Any]) -> Union[Node, Outcome]:
        """The node as it is now, or the skipped outcome where there is nothing to add."""
        try:
            node = self._cluster.node(name)
        except NotFound:
            return Outcome.skipped("node-gone", f"there is no node {name}", f"node {name}")
        key, effect = self._taint["key"], self._taint["effect"]
        for taint in node.taints:
            if taint["key"] == key and taint["effect"] == effect:
                said = f"{node} has the taint {_shown(taint)} already"
                return Outcome.skipped("already-tainted", said, str(node), **facts)
        return node


def _shown(taint: Taint) -> str:
    """As kubectl writes it."""
    return f"{taint['key']}={taint.get('value', '')}:{taint['effect']}"
