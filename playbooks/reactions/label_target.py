"""Label and annotate the pod of an alert, or its node."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Dict, List, Mapping, Optional, Tuple, Union

from playbooks.core import proof
from playbooks.core.action import Action
from playbooks.core.alert import Alert
from playbooks.core.cluster.changes import Changes, Rule
from playbooks.core.cluster.manifest import PREFIX, Manifest
from playbooks.core.cluster.node import Node
from playbooks.core.cluster.permissions import Permission
from playbooks.core.containment import labeling, lifetime
from playbooks.core.containment.containment import NODE, OWN_KEYS, POD, Target, noting
from playbooks.core.containment.labeling import Labeling, LabelNote, Patch, Written
from playbooks.core.containment.lifetime import Lifetime
from playbooks.core.errors import NotFound, NotTheSameObject
from playbooks.core.outcome import Outcome
from playbooks.core.ports import Cluster, Ledger
from playbooks.core.proof import Proof, Proven
from playbooks.core.reaction import Verified, target_now
from playbooks.core.settings import Setting, one_of, yes_or_no
from playbooks.reactions.contain_target import ContainTarget, TargetChange
from playbooks.reactions.label_values import Assignment, annotation_assignments, label_assignments

TARGET, LABELS, ANNOTATIONS, ANY, TTL = (
    "LABEL_TARGET",
    "LABELS",
    "ANNOTATIONS",
    "LABEL_ANY",
    "LABEL_TTL",
)

_WAS, _NOW = "oldObject.metadata", "object.metadata"


def _keys(part: str, holds: str) -> str:
    """CEL: of each key ``k`` whose value changes, this holds."""
    before, after = f"variables.before_{part}", f"variables.after_{part}"
    keys = f"({before}.map(k, k) + {after}.map(k, k))"
    return f"{keys}.all(k, {before}[?k] == {after}[?k] || {holds})"


def _rules(part: str, setting: str, ours: str) -> Tuple[Rule, ...]:
    """``ours``: the key of that part that the playbook writes beside those of the setting."""

    def with_(key: str) -> Manifest:
        return {"metadata": {part: {key: "dry-run"}}}

    reserved = ", ".join(f"'{key}'" for key in sorted(labeling.RESERVED - {ours}))
    noted = f"{_WAS}.?annotations[?'{labeling.NOTED}'].orValue('').contains('\"' + k + '\"')"
    configured = f"params.data.{setting}.split(',').exists(a, a.startsWith(k + '='))"
    return (
        Rule(
            f"changes no {part} by which playbooks know what they contain",
            _keys(part, f"!(k in [{reserved}]) && !k.startsWith('{OWN_KEYS}')"),
            broken_by=lambda *_: with_("falco/isolated"),
        ),
        Rule(
            f"changes no {part} but {PREFIX}* without {ANY}",
            _keys(part, f"k.startsWith('{PREFIX}') || params.data.{ANY} == 'true'"),
            settings=(ANY,),
            broken_by=lambda _, texts: None if texts[ANY] == "true" else with_("falco-check"),
        ),
        Rule(
            f"changes no {part} but those of {setting}, and those that it noted",
            _keys(part, f"k == '{ours}' || {configured} || {noted}"),
            settings=(setting,),
            broken_by=lambda *_: with_(f"{PREFIX}check"),
        ),
    )


def _changes(resource: str) -> Changes:
    return Changes(
        resource,
        labels=True,
        annotations=True,
        rules=(
            *_rules("labels", LABELS, labeling.LABEL),
            *_rules("annotations", ANNOTATIONS, labeling.NOTED),
        ),
        allowed=lambda *_: {"metadata": {"annotations": {labeling.NOTED: "dry-run"}}},
    )


@dataclass(frozen=True)
class _Change(TargetChange[Target, LabelNote]):
    """``patches``: of labels and of annotations, beside what tells of the note; none where its end
    is moved alone."""

    patches: Mapping[str, Patch] = field(default_factory=dict)

    def write(self, cluster: Cluster) -> str:
        labels = {**self.patches.get(labeling.LABELS, {}), labeling.LABEL: labeling.MARK}
        annotations = self.patches.get(labeling.ANNOTATIONS, {})
        return noting(
            lambda notes: labeling.write(cluster, self.target, labels, {**annotations, **notes}),
            self.notes,
        )


class LabelTarget(ContainTarget):
    """Merges: labels and annotations of others stay. What was there before is noted.

    ``labels``, ``annotations``: what to write. ``node``: on the node of the pod instead.
    ``widely``: some key is none of ``falco/*``, and others may select by it.
    """

    TARGETS = "pods"
    KINDS = ("Pod", "Node")
    CONTAINMENT = Labeling
    TTL = TTL
    SETTINGS = (
        Setting(
            LABELS,
            label_assignments,
            "falco/alert={rule}",
            "Labels to set, as `key=value,key=value`; an empty value takes the label off. `{rule}`,"
            " `{priority}` and `{source}` stand for those of the alert, in lower case and with `_`"
            " for anything but letters and digits",
        ),
        Setting(ANNOTATIONS, annotation_assignments, "", "Annotations to set, in the same way"),
        Setting(
            TARGET, one_of(POD, NODE), POD, "What is labeled: the `pod`, or the `node` it runs on"
        ),
        Setting(
            ANY,
            yes_or_no,
            "false",
            f"Also keys that do not begin with `{PREFIX}`. Services, policies and the scheduler may"
            " select by them",
        ),
        lifetime.ttl(
            TTL,
            "How long they stay, such as `2h`; each further alert extends that. What was there"
            " before is then put back. Or `off`",
        ),
        *proof.SETTINGS,
    )
    PERMISSIONS = (
        Permission("pods", ("get", "list", "patch"), only_with=TARGET, only_for=POD),
        Permission("pods", ("get", "list"), only_with=TARGET, only_for=NODE),
        Permission(
            "nodes", ("get", "list", "patch"), cluster_wide=True, only_with=TARGET, only_for=NODE
        ),
        Permission(
            *("events", ("create", "patch"), "events.k8s.io"),
            namespace="default",
            only_with=TARGET,
            only_for=NODE,
        ),
    )
    CHANGES = (_changes("pods"), _changes("nodes"))

    def __init__(
        self,
        cluster: Cluster,
        ledger: Ledger,
        proof: Proof,
        lifetime: Lifetime,
        *,
        labels: Tuple[Assignment, ...],
        annotations: Tuple[Assignment, ...] = (),
        target: str = POD,
    ) -> None:
        super().__init__(cluster, ledger, proof, lifetime)
        self._given = {labeling.LABELS: labels, labeling.ANNOTATIONS: annotations}
        self._node = target == NODE
        self._widely = any(not each.key.startswith(PREFIX) for each in (*labels, *annotations))

    @staticmethod
    def problems(values: Mapping[str, str]) -> List[str]:
        found = {s.name: s.check(values.get(s.name, s.default or "")) for s in LabelTarget.SETTINGS}
        given = (*found[LABELS], *found[ANNOTATIONS])
        if not given:
            return [f"{LABELS} and {ANNOTATIONS} are empty, expected something to write"]
        foreign = [each.key for each in given if not each.key.startswith(PREFIX)]
        if not foreign or found[ANY]:
            return []
        said = f"expected keys that begin with {PREFIX}, or {ANY}=true"
        return [f"{LABELS} and {ANNOTATIONS} have the key {', '.join(foreign)}, {said}"]

    @property
    def evicts(self) -> bool:
        return False

    @property
    def keeps_pods_away(self) -> bool:
        return False

    @property
    def decides_from_memory(self) -> bool:
        """Of a pod only annotations of ours are remembered."""
        return not self._node and not self._widely

    @property
    def counts_by_owner(self) -> bool:
        """Nothing that serves a workload selects by labels of ours."""
        return self._widely

    def plan(self, alert: Alert) -> Union[Action, Outcome]:
        proven = self._proof.of(alert)
        if isinstance(proven, Outcome):
            return proven
        pod = proven.pod
        if self._node and not pod.node:
            return proven.skipped("no-node", f"{pod} is on no node yet")
        found = self._change(alert, proven, self._read(proven) if self._node else pod)
        if isinstance(found, Outcome):
            return found
        return Action(
            "label",
            str(found.target),
            found.planned,
            lambda: self._carry_out(alert, proven, found),
            pod=pod,
            node=found.target if isinstance(found.target, Node) else None,
            facts=self._facts(proven, found),
            why=(proven.evidence,),
        )

    def verify(self, action: Action) -> Optional[Verified]:
        target: Optional[Target] = action.node or action.pod
        found = target_now(target, self._cluster)
        if isinstance(found, Verified):
            return found
        parts = labeling.parts_of(found).items()
        lost = sorted(key for part, there in parts for key in _patch(there, action.facts[part]))
        if lost:
            return Verified(False, f"{found} has {', '.join(lost)} no longer as it was written")
        return Verified(True, f"labels and annotations of {found} are as they were written")

    def _read(self, proven: Proven) -> Union[Target, Outcome]:
        """The target as it is now, or why there is none any more."""
        pod = proven.pod
        what = f"node {pod.node}" if self._node else str(pod)
        try:
            if self._node:
                return self._cluster.node(pod.node)
            return self._cluster.again(pod)
        except NotFound:
            gone = "node-gone" if self._node else "pod-gone"
            return proven.skipped(gone, f"{what} is gone", what)
        except NotTheSameObject as error:
            return proven.skipped("not-the-same-pod", str(error), what)

    def _change(
        self, alert: Alert, proven: Proven, target: Union[Target, Outcome]
    ) -> Union[_Change, Outcome]:
        """``target``: as it is now, or why there is none any more."""
        if isinstance(target, Outcome):
            return target
        before, there = Labeling.noted(self._notes_of(target)), labeling.parts_of(target)
        wanted: Dict[str, Patch] = {
            part: {each.key: each.value(alert) for each in given}
            for part, given in self._given.items()
        }
        patches = {part: _patch(there[part], wanted[part]) for part in wanted}
        if not any(patches.values()):
            return self._extended(proven, target, before)
        earlier = (before or LabelNote()).written
        written = {part: _noted(earlier[part], there[part], wanted[part]) for part in wanted}
        note = self._lifetime.note(LabelNote, alert.rule, "labeled", before, written=written)
        shown = labeling.shown({**patches[labeling.LABELS], **patches[labeling.ANNOTATIONS]})
        lost = [key for keys in written.values() for key, each in keys.items() if each.lost]
        kept = f"; the value of {', '.join(lost)} before is too long to be kept" * bool(lost)
        what = f"{target} with {shown}{note.ending}{kept}"
        notes = Labeling.to_notes(note)
        words = f"label {what}", f"labeled {what}"
        return _Change(target, note, notes, "labeled", *words, patches=patches)

    def _extended(
        self, proven: Proven, target: Target, before: Optional[LabelNote]
    ) -> Union[_Change, Outcome]:
        """A later end, where the playbook wrote them."""
        note = self._lifetime.extended(before)
        if before is None or note is None:
            said = f"{target} has these labels and annotations already"
            return proven.skipped("already-labeled", said, str(target))
        what = f"{target} labeled{note.ending} instead of {before.until}"
        notes = Labeling.to_notes(note)
        return _Change(target, note, notes, "extended", f"leave {what}", f"left {what}")

    def _carry_out(self, alert: Alert, proven: Proven, change: _Change) -> Outcome:
        try:
            return self._contain(
                change,
                lambda found: found.write(self._cluster),
                lambda: self._change(alert, proven, self._read(proven)),
                partial(self._facts, proven),
            )
        except NotFound:
            gone = self._read(proven)
            if isinstance(gone, Outcome):
                return gone
            raise

    @staticmethod
    def _facts(proven: Proven, change: _Change) -> Dict[str, Any]:
        now = {
            part: {key: each.now for key, each in keys.items()}
            for part, keys in change.note.written.items()
        }
        return {**proven.facts, **now}


def _patch(there: Mapping[str, str], wanted: Patch) -> Patch:
    """What of it is not so yet."""
    return {key: value for key, value in wanted.items() if there.get(key) != value}


def _noted(
    before: Mapping[str, Written], there: Mapping[str, str], wanted: Patch
) -> Dict[str, Written]:
    """What was there before a playbook wrote it first; what somebody wrote since counts as that.
    What is there already, as it is wanted, is none of the playbook's."""
    found = dict(before)
    for key, value in wanted.items():
        ours = before.get(key)
        if ours is not None and ours.now == there.get(key):
            found[key] = replace(ours, now=value)
        elif there.get(key) != value:
            found[key] = Written.over(there.get(key), value)
    return found
