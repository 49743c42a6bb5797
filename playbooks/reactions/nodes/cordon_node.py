"""Cordon the node on which the pod of an alert runs."""

from __future__ import annotations

from typing import Any, Mapping, Optional, Union

from playbooks.core import proof
from playbooks.core.cluster.node import Node
from playbooks.core.cluster.permissions import Permission
from playbooks.core.containment import lifetime
from playbooks.core.containment.cordoning import Cordoning
from playbooks.core.containment.note import Note
from playbooks.core.ledger.contained import Notes
from playbooks.core.outcome import Outcome
from playbooks.reactions.nodes.contain_node import Change, ContainNode, cordons, host_setting


class CordonNode(ContainNode):
    """Sets ``spec.unschedulable`` as kubectl cordon does. Pods that are there stay.

    A node that somebody else cordoned is left as it is, and is never uncordoned.
    """

    VERB = "cordon"
    HOST = "CORDON_HOST"
    CONTAINMENT = Cordoning
    TTL = "CORDON_TTL"
    SETTINGS = (
        host_setting(HOST, VERB),
        lifetime.ttl(
            TTL,
            "How long the node stays cordoned, such as `2h`; each further alert about the node"
            " extends that. Or `off`",
        ),
        *proof.SETTINGS,
    )
    PERMISSIONS = (
        Permission("pods", ("get", "list")),
        Permission("nodes", ("get", "list", "patch"), cluster_wide=True),
    )
    CHANGES = (cordons(TTL),)

    @property
    def evicts(self) -> bool:
        return False

    def change(
        self, node: Node, notes: Notes, rule: str, facts: Mapping[str, Any]
    ) -> Union[Change, Outcome]:
        if node.unschedulable:
            return self._extended(node, notes) or Outcome.skipped(
                "already-cordoned", f"{node} is cordoned already", str(node), **facts
            )
        note = self._lifetime.note(Note, rule, "cordoned")
        what = f"{node}{note.ending}"
        return self._noted(node, note, "cordoned", f"cordon {what}", f"cordoned {what}")

    def _stands(self, node: Node) -> bool:
        return node.unschedulable

    def _extended(self, node: Node, notes: Notes) -> Optional[Change]:
        """A later end, where the node was cordoned by the playbook."""
        note = Cordoning.noted(notes)
        later = self._lifetime.extended(note)
        if note is None or later is None:
            return None
        what = f"{node} cordoned{later.ending} instead of {note.until}"
        return self._noted(node, later, "extended", f"leave {what}", f"left {what}")

    def _noted(self, node: Node, note: Note, reason: str, planned: str, done: str) -> Change:
        spec = {"unschedulable": True}
        notes = Cordoning.to_notes(note)
        return Change(node, note, notes, reason, planned, done, spec, annotations=notes)
