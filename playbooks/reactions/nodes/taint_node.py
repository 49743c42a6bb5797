"""Taint the node on which the pod of an alert runs."""

from __future__ import annotations

from typing import Any, Mapping, Optional, Tuple, Union

from playbooks.core import proof
from playbooks.core.cluster.changes import Changes, Rule, Texts
from playbooks.core.cluster.manifest import PREFIX, Manifest
from playbooks.core.cluster.node import REPELLING, Node, Taint, shown
from playbooks.core.cluster.permissions import Permission
from playbooks.core.containment import lifetime, tainting
from playbooks.core.containment.lifetime import Lifetime
from playbooks.core.containment.note import Note
from playbooks.core.containment.tainting import TAINTS, Tainting
from playbooks.core.ledger.contained import Notes
from playbooks.core.outcome import Outcome
from playbooks.core.ports import Cluster, Ledger
from playbooks.core.proof import Proof
from playbooks.core.settings import Setting, label_value, one_of, qualified_name
from playbooks.reactions.nodes.contain_node import Change, ContainNode, host_setting

_WAS, _NOW = (f"{each}.spec.?taints.orValue([])" for each in ("oldObject", "object"))
_CONFIGURED = "t.key == params.data.TAINT_KEY && t.effect == params.data.TAINT_EFFECT"
_NOTED = f"oldObject.metadata.?annotations[?'{TAINTS}'].orValue('').contains('\"' + t.key)"


def _with_taint(node: Manifest, _: Texts) -> Manifest:
    """Adds a taint that is no playbook's."""
    made = {"key": "falco-check", "effect": "PreferNoSchedule"}
    return {"spec": {"taints": [*(node["spec"].get("taints") or ()), made]}}


def _without_taints(node: Manifest, _: Texts) -> Optional[Manifest]:
    foreign = [t for t in node["spec"].get("taints") or () if not t["key"].startswith(PREFIX)]
    notes = (node["metadata"].get("annotations") or {}).get(TAINTS, "")
    return {"spec": {"taints": None}} if foreign and not notes else None


_RULES = (
    Rule(
        f"removes no taint but {PREFIX}* and those that it noted",
        f"{_WAS}.all(t, t in {_NOW} || t.key.startsWith('{PREFIX}') || {_NOTED})",
        broken_by=_without_taints,
    ),
    Rule(
        "adds no taint but that of TAINT_KEY and TAINT_EFFECT",
        f"{_NOW}.all(t, t in {_WAS} || {_CONFIGURED})",
        settings=("TAINT_KEY", "TAINT_EFFECT"),
        broken_by=_with_taint,
    ),
    Rule(
        f"removes no taint but {PREFIX}* and that of TAINT_KEY and TAINT_EFFECT",
        f"{_WAS}.all(t, t in {_NOW} || t.key.startsWith('{PREFIX}') || {_CONFIGURED})",
        settings=("TAINT_KEY", "TAINT_EFFECT"),
    ),
    Rule(
        "removes no taint without TAINT_TTL",
        f"params.data.TAINT_TTL != 'off' || {_WAS}.all(t, t in {_NOW})",
        settings=("TAINT_TTL",),
        broken_by=lambda node, texts: (
            {"spec": {"taints": None}}
            if node["spec"].get("taints") and texts["TAINT_TTL"] == "off"
            else None
        ),
    ),
)


class TaintNode(ContainNode):
    """Adds one taint and keeps all others. A taint of the same key and effect is left as it is."""

    VERB = "taint"
    HOST = "TAINT_HOST"
    CONTAINMENT = Tainting
    TTL = "TAINT_TTL"
    SETTINGS = (
        Setting("TAINT_KEY", qualified_name, "falco/alert", "The key of the taint"),
        Setting("TAINT_VALUE", label_value, "true", "The value of the taint"),
        Setting(
            "TAINT_EFFECT",
            one_of("NoSchedule", "PreferNoSchedule", "NoExecute"),
            "NoSchedule",
            "`NoSchedule` keeps new pods away, `PreferNoSchedule` where other nodes take them;"
            " `NoExecute` evicts those there",
        ),
        host_setting(HOST, VERB),
        lifetime.ttl(
            TTL,
            "How long the taint stays, such as `2h`; each further alert about the node extends"
            " that. Or `off`",
        ),
        *proof.SETTINGS,
    )
    PERMISSIONS = (
        Permission("pods", ("get", "list")),
        Permission("nodes", ("get", "list", "patch"), cluster_wide=True),
    )

    CHANGES = (Changes("nodes", spec=("taints",), rules=_RULES),)

    def __init__(
        self,
        cluster: Cluster,
        ledger: Ledger,
        proof: Proof,
        lifetime: Lifetime,
        *,
        key: str,
        value: str,
        effect: str,
        host: bool,
    ) -> None:
        super().__init__(cluster, ledger, proof, lifetime, host=host)
        self._taint = {"key": key, "value": value, "effect": effect}

    @property
    def evicts(self) -> bool:
        return self._taint["effect"] == "NoExecute"

    @property
    def keeps_pods_away(self) -> bool:
        return self._taint["effect"] in REPELLING

    def counts(self, node: Node) -> bool:
        """Whoever added the taint."""
        return node.has_taint(self._taint["key"], self._taint["effect"])

    def change(
        self, node: Node, notes: Notes, rule: str, facts: Mapping[str, Any]
    ) -> Union[Change, Outcome]:
        key, effect = self._taint["key"], self._taint["effect"]
        for taint in node.taints:
            if taint["key"] == key and taint["effect"] == effect:
                return self._extended(node, notes, taint) or Outcome.skipped(
                    "already-tainted",
                    f"{node} has the taint {shown(taint)} already",
                    str(node),
                    **facts,
                )
        note = self._lifetime.note(Note, rule, "tainted")
        what = f"taint {shown(self._taint)} to {node}{note.ending}"
        taints = (*node.taints, self._taint)
        return self._noted(node, notes, taints, note, "tainted", f"add {what}", f"added {what}")

    def _extended(self, node: Node, notes: Notes, taint: Taint) -> Optional[Change]:
        """A later end of a taint of ours."""
        note = tainting.by_taint(notes).get(shown(taint))
        later = self._lifetime.extended(note)
        if note is None or later is None or shown(taint) != shown(self._taint):
            return None
        what = f"taint {shown(taint)} on {node}{later.ending} instead of {note.until}"
        return self._noted(
            node, notes, node.taints, later, "extended", f"leave {what}", f"left {what}"
        )

    def _noted(
        self,
        node: Node,
        notes: Notes,
        taints: Tuple[Taint, ...],
        note: Note,
        reason: str,
        planned: str,
        done: str,
    ) -> Change:
        """The annotation keeps what other playbooks wrote there."""
        ours = {**tainting.by_taint(notes), shown(self._taint): note}
        written = tainting.to_notes({**tainting.by_taint(node.annotations), **ours})
        kept, spec = tainting.to_notes(ours), {"taints": list(taints)}
        return Change(node, note, kept, reason, planned, done, spec, annotations=written)
