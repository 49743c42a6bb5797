"""What a reaction that keeps pods away from a node has in common with others of its kind."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Dict, Mapping, Optional, Union

from playbooks.core.action import Action
from playbooks.core.alert import Alert
from playbooks.core.cluster.changes import Changes, Rule
from playbooks.core.cluster.node import Node
from playbooks.core.cluster.pod import Pod
from playbooks.core.containment.containment import noting
from playbooks.core.containment.lifetime import Lifetime
from playbooks.core.containment.note import Note
from playbooks.core.errors import NotFound
from playbooks.core.ledger.contained import Notes
from playbooks.core.outcome import Outcome
from playbooks.core.ports import Cluster, Ledger
from playbooks.core.proof import Proof
from playbooks.core.reaction import Verified, target_now
from playbooks.core.settings import Setting, yes_or_no
from playbooks.reactions.contain_target import ContainTarget, TargetChange


@dataclass(frozen=True)
class Change(TargetChange[Node, Note]):
    """Fields of the node's spec, and annotations with the note about it."""

    spec: Mapping[str, Any]
    annotations: Mapping[str, Optional[str]]


class ContainNode(ContainTarget):
    """Changes the node on which the alert's pod runs, once the pod is proven.

    ``host``: also the node that a host alert names, which nothing proves. ``VERB``: the code of the
    action; ``HOST``: the name of the setting behind ``host``.
    """

    TARGETS = "nodes"
    VERB: ClassVar[str]
    HOST: ClassVar[str]

    def __init__(
        self,
        cluster: Cluster,
        ledger: Ledger,
        proof: Proof,
        lifetime: Lifetime,
        *,
        host: bool = False,
    ) -> None:
        super().__init__(cluster, ledger, proof, lifetime)
        self._host = host

    @abstractmethod
    def change(
        self, node: Node, notes: Notes, rule: str, facts: Mapping[str, Any]
    ) -> Union[Change, Outcome]:
        """What to write on the node as it is now, or the skipped outcome where that is nothing.

        ``notes``: what the ledger has about it. ``rule``: the alert's. ``facts``: details of every
        outcome.
        """

    def plan(self, alert: Alert) -> Union[Action, Outcome]:
        if alert.claim.host and not alert.claim.conflict and alert.source == "syscall":
            return self._of_host(alert)
        proven = self._proof.of(alert)
        if isinstance(proven, Outcome):
            return proven
        pod = proven.pod
        if not pod.node:
            return proven.skipped("no-node", f"{pod} is on no node yet")
        return self._plan(alert, pod.node, proven.facts, pod)

    def verify(self, action: Action) -> Optional[Verified]:
        found, kept = target_now(action.node, self._cluster), f"{self.VERB} of {action.target}"
        if isinstance(found, Verified):
            return found
        if self._stands(found):
            return Verified(True, f"the {kept} stands")
        return Verified(False, f"the {kept} does not stand: somebody took it off since")

    def _stands(self, node: Node) -> bool:
        """Whether what was done to the node is so."""
        return self.counts(node)

    def _of_host(self, alert: Alert) -> Union[Action, Outcome]:
        if not self._host:
            return Outcome.skipped(
                "host-alert", f"the alert is about a process of the host, and {self.HOST} is false"
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
            self.VERB,
            str(found.target),
            found.planned,
            lambda: self._carry_out(alert, found, facts),
            pod=pod,
            node=found.target,
            facts=facts,
            why=(facts["evidence"],),
        )

    def _change(self, alert: Alert, name: str, facts: Dict[str, Any]) -> Union[Change, Outcome]:
        try:
            node = self._cluster.node(name)
        except NotFound:
            return Outcome.skipped("node-gone", f"there is no node {name}", f"node {name}")
        return self.change(node, self._notes_of(node), alert.rule, facts)

    def _carry_out(self, alert: Alert, change: Change, facts: Dict[str, Any]) -> Outcome:
        return self._contain(
            change,
            self._write,
            lambda: self._change(alert, change.target.name, facts),
            lambda _: facts,
        )

    def _write(self, change: Change) -> str:
        node, spec = change.target, change.spec
        return noting(
            lambda notes: self._cluster.patch_node(node, spec=spec, annotations=notes),
            change.annotations,
        )


def host_setting(name: str, verb: str) -> Setting:
    """The setting with which host alerts are answered, too."""
    return Setting(
        name,
        yes_or_no,
        "false",
        f"Also {verb} the node named by `hostname` for alerts about a process of the host",
    )


def cordons(ttl: str) -> Changes:
    """What an account may write of a node that it cordons, and uncordons after the setting
    ``ttl``."""
    return Changes(
        "nodes",
        spec=("unschedulable",),
        rules=(
            Rule(
                f"uncordons no node without {ttl}",
                f"params.data.{ttl} != 'off' || object.spec.?unschedulable.orValue(false)"
                " || !oldObject.spec.?unschedulable.orValue(false)",
                settings=(ttl,),
                broken_by=lambda node, texts: (
                    {"spec": {"unschedulable": None}}
                    if node["spec"].get("unschedulable") and texts[ttl] == "off"
                    else None
                ),
            ),
        ),
    )
