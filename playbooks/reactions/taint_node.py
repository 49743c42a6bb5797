"""Taint the node on which the pod of an alert runs."""

from __future__ import annotations

from typing import Any, Dict, Union

from playbooks.core import proof
from playbooks.core.alert import Alert
from playbooks.core.errors import Conflict, NotFound
from playbooks.core.node import Node, Taint
from playbooks.core.outcome import Outcome
from playbooks.core.permissions import Permission
from playbooks.core.ports import Cluster, Reaction
from playbooks.core.proof import Proof
from playbooks.core.settings import Setting, label_value, one_of, qualified_name, yes_or_no

# How often the node is read again because somebody else wrote it first.
ATTEMPTS = 5


class TaintNode(Reaction):
    """Adds one taint and keeps all others. A taint of the same key and effect is left as it is.

    ``taint_host``: also taint the node that a host alert names, which nothing proves.
    """

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
        Permission("nodes", ("get", "patch"), cluster_wide=True),
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
        dry_run: bool,
    ) -> None:
        self._cluster = cluster
        self._proof = proof
        self._taint = {"key": key, "value": value, "effect": effect}
        self._taint_host = taint_host
        self._dry_run = dry_run

    def run(self, alert: Alert) -> Outcome:
        if alert.claim.host and alert.source == "syscall":
            return self._host(alert)
        proven = self._proof.of(alert)
        if isinstance(proven, Outcome):
            return proven
        pod = proven.pod
        if not pod.node:
            return Outcome.skipped("no-node", f"{pod} is on no node yet", str(pod), **proven.facts)
        return self._add(pod.node, proven.facts)

    def _host(self, alert: Alert) -> Outcome:
        if not self._taint_host:
            return Outcome.skipped(
                "host-alert", "the alert is about a process of the host, and TAINT_HOST is false"
            )
        node = alert.claim.node
        if not node:
            return Outcome.skipped("no-node", "the alert does not name its host (hostname)")
        return self._add(node, {"node": node, "evidence": "hostname of a host alert"})

    def _add(self, name: str, facts: Dict[str, Any]) -> Outcome:
        for _ in range(ATTEMPTS - 1):
            try:
                return self._try_to_add(name, facts)
            except Conflict:
                pass
        return self._try_to_add(name, facts)

    def _try_to_add(self, name: str, facts: Dict[str, Any]) -> Outcome:
        node = self._read(name)
        if isinstance(node, Outcome):
            return node
        key, effect = self._taint["key"], self._taint["effect"]
        for taint in node.taints:
            if taint["key"] == key and taint["effect"] == effect:
                return Outcome.skipped(
                    "already-tainted",
                    f"{node} has the taint {_shown(taint)} already",
                    str(node),
                    **facts,
                )
        said = f"taint {_shown(self._taint)} to {node}"
        if self._dry_run:
            return Outcome.would_act(str(node), "taint", f"would add {said}", **facts)
        self._cluster.set_taints(node, taints=[*node.taints, self._taint])
        return Outcome.acted(str(node), "tainted", f"added {said}", **facts)

    def _read(self, name: str) -> Union[Node, Outcome]:
        try:
            return self._cluster.node(name)
        except NotFound:
            return Outcome.skipped("node-gone", f"there is no node {name}", f"node {name}")


def _shown(taint: Taint) -> str:
    """As kubectl writes it."""
    return f"{taint['key']}={taint.get('value', '')}:{taint['effect']}"
