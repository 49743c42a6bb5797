"""Scale the workload that the pod of an alert belongs to."""

from __future__ import annotations

from functools import partial
from typing import Any, Dict, List, Optional, Union

from playbooks.core import proof
from playbooks.core.action import Action
from playbooks.core.alert import Alert
from playbooks.core.cluster.changes import Changes, Rule, Texts
from playbooks.core.cluster.manifest import Manifest
from playbooks.core.cluster.permissions import Permission
from playbooks.core.cluster.workload import OWNING, SCALABLE, Scalable, controller
from playbooks.core.containment import lifetime
from playbooks.core.containment.lifetime import Lifetime
from playbooks.core.containment.scaling import ScaleNote, Scaling
from playbooks.core.errors import ListTooLong, NotFound, NotPermitted
from playbooks.core.guards.makers import makers
from playbooks.core.outcome import Outcome
from playbooks.core.ports import Cluster, Ledger
from playbooks.core.proof import Proof, Proven
from playbooks.core.reaction import Verified, target_now
from playbooks.core.settings import Setting, whole_number
from playbooks.reactions.contain_target import ContainTarget, TargetChange

TO, TTL = "SCALE_TO", "SCALE_TTL"

# Of a Scale: absent is 0.
_NOW, _WAS = (f"{each}.spec.?replicas.orValue(0)" for each in ("object", "oldObject"))


def _scaled(number: int) -> Manifest:
    return {"spec": {"replicas": number}}


def _up(workload: Manifest, texts: Texts) -> Optional[Manifest]:
    number = (workload.get("spec") or {}).get("replicas", 1)
    return None if texts[TTL] != "off" else _scaled(max(number, int(texts[TO])) + 1)


def _changes(resource: str) -> Changes:
    return Changes(
        f"{resource}/scale",
        group="apps",
        rules=(
            Rule(
                f"scales to {TO}, and with {TTL} back",
                f"params.data.{TTL} != 'off' || string({_NOW}) == params.data.{TO}",
                settings=(TO, TTL),
                broken_by=_up,
            ),
            Rule(
                f"scales nothing up without {TTL}",
                f"params.data.{TTL} != 'off' || {_NOW} <= {_WAS}",
                settings=(TTL,),
            ),
        ),
        asked_of=f"{resource}.apps",
        allowed=lambda workload, texts: (
            _scaled(int(texts.get(TO, "0")))
            if (workload.get("spec") or {}).get("replicas", 1) >= int(texts.get(TO, "0"))
            else None
        ),
    )


_Change = TargetChange[Scalable, ScaleNote]


class ScaleWorkload(ContainTarget):
    """Goes up the chain of controllers as far as each is proven: scaling the ReplicaSet of a
    Deployment would be undone at once. ``to``: the number of pods."""

    TARGETS = "pods"
    # Nothing holds a change of the workload to what is known of a pod.
    VIEW = False
    KINDS = ("Pod", *SCALABLE)
    CONTAINMENT = Scaling
    TTL = TTL
    SETTINGS = (
        Setting(TO, whole_number(0, 1000), "0", "How many pods the workload keeps"),
        lifetime.ttl(
            TTL,
            "How long it stays so, such as `2h`; each further alert extends that. It is then scaled"
            " back. Or `off`",
        ),
        *proof.SETTINGS,
    )
    PERMISSIONS = (
        Permission("pods", ("get", "list")),
        Permission("deployments", ("get",), group="apps"),
        *(
            Permission(f"{OWNING[each].resource}/scale", ("patch",), OWNING[each].group)
            for each in SCALABLE
        ),
        Permission("horizontalpodautoscalers", ("list",), group="autoscaling"),
    )
    CHANGES = tuple(_changes(OWNING[each].resource) for each in SCALABLE)

    def __init__(
        self, cluster: Cluster, ledger: Ledger, proof: Proof, lifetime: Lifetime, *, to: int = 0
    ) -> None:
        super().__init__(cluster, ledger, proof, lifetime)
        self._to = to

    def plan(self, alert: Alert) -> Union[Action, Outcome]:
        proven = self._proof.of(alert)
        if isinstance(proven, Outcome):
            return proven
        found = self._change(alert, proven)
        if isinstance(found, Outcome):
            return found
        workload = found.target
        facts = self._facts(proven, found)
        return Action(
            "scale",
            str(workload),
            found.planned,
            lambda: self._carry_out(alert, proven, found),
            pod=proven.pod,
            facts=facts,
            why=(proven.evidence, f"{proven.pod} is of {workload}"),
            workload=workload,
            pods=max(1, workload.replicas - self._to),
        )

    def verify(self, action: Action) -> Optional[Verified]:
        found = target_now(action.workload, self._cluster)
        if isinstance(found, Verified):
            return found
        number = found.replicas
        if number <= self._to:
            return Verified(True, f"{found} wants {number} pods")
        return Verified(False, f"{found} wants {number} pods: somebody scaled it since")

    def _change(self, alert: Alert, proven: Proven) -> Union[_Change, Outcome]:
        workload = self._workload(proven)
        if isinstance(workload, Outcome):
            return workload
        before = Scaling.noted(self._notes_of(workload))
        if workload.replicas <= self._to:
            return self._extended(proven, workload, before)
        number = f"from {workload.replicas} to {self._to}"
        ours = before is not None and before.now == workload.replicas
        note = self._lifetime.note(
            ScaleNote,
            alert.rule,
            "scaled",
            before,
            before=before.before if before and ours else workload.replicas,
            now=self._to,
        )
        what = f"{workload} {number}{note.ending}{self._remarks(workload)}"
        notes = Scaling.to_notes(note)
        return _Change(workload, note, notes, "scaled", f"scale {what}", f"scaled {what}")

    def _extended(
        self, proven: Proven, workload: Scalable, before: Optional[ScaleNote]
    ) -> Union[_Change, Outcome]:
        """A later end, where the playbook scaled it."""
        note = self._lifetime.extended(before)
        if before is None or note is None or before.now != workload.replicas:
            said = f"{workload} wants {workload.replicas} pods already"
            return proven.skipped("already-scaled", said, str(workload))
        what = f"{workload} at {before.now}{note.ending} instead of {before.until}"
        notes = Scaling.to_notes(note)
        return _Change(workload, note, notes, "extended", f"leave {what}", f"left {what}")

    def _workload(self, proven: Proven) -> Union[Scalable, Outcome]:
        """The last one of the chain that is there and selects the pod."""
        pod, top = proven.pod, None
        for owner, manifest in makers(pod, self._cluster):
            top = (owner, manifest)
        if top is None:
            named = f", and {pod.owner}, which it names, did not make it" * bool(pod.owner)
            said = f"{pod} belongs to no workload{named}"
            return proven.skipped("no-workload", said)
        owner, manifest = top
        if owner.kind in SCALABLE:
            return Scalable(owner.kind, manifest)
        said = f"{pod} belongs to {owner}, whose number of pods cannot be set"
        return proven.skipped("not-scalable", said)

    def _remarks(self, workload: Scalable) -> str:
        """Who may set the number back. None of them is kept from it."""
        found: List[str] = []
        above = controller(workload.manifest["metadata"])
        if above is not None:
            found.append(f"{above}, which it names as its controller, may set it back")
        try:
            names = self._cluster.autoscalers(workload)
        except (ListTooLong, NotPermitted):
            names = []
            found.append("whether a HorizontalPodAutoscaler sets it is not known")
        does = "sets nothing while it is 0" if self._to == 0 else "sets it back"
        found += [f"HorizontalPodAutoscaler {name} {does}" for name in names]
        found += [f"{each} may set it back" for each in workload.applied_by]
        return "".join(f"; {each}" for each in found)

    def _carry_out(self, alert: Alert, proven: Proven, change: _Change) -> Outcome:
        def write(found: _Change) -> None:
            # Else its number stays, and only the end of it is noted.
            if found.target.replicas > self._to:
                self._cluster.scale(found.target, self._to)

        try:
            return self._contain(
                change,
                write,
                lambda: self._change(alert, proven),
                partial(self._facts, proven),
            )
        except NotFound:
            said = f"{change.target} is gone"
            return proven.skipped("no-workload", said, str(change.target))

    @staticmethod
    def _facts(proven: Proven, change: _Change) -> Dict[str, Any]:
        note = change.note
        return {
            **proven.facts,
            "workload": str(change.target),
            "replicas_before": note.before,
            "replicas": note.now,
        }
