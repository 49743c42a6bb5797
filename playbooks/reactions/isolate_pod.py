"""Cut the pod that an alert is about off the network, and keep it for forensics."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import Any, Dict, List, Mapping, Optional, Set, Tuple, Union

from playbooks.core import proof
from playbooks.core.action import Action, target_ref
from playbooks.core.alert import Alert
from playbooks.core.cluster import network_policy
from playbooks.core.cluster.network_policy import LABEL, Reachable
from playbooks.core.cluster.permissions import Permission
from playbooks.core.cluster.pod import Pod
from playbooks.core.cluster.policies import denying
from playbooks.core.cluster.policies.kinds import (
    CALICO,
    CILIUM,
    NETWORK_POLICY,
    OTHERS,
    PolicyKind,
)
from playbooks.core.cluster.selectors import Selector
from playbooks.core.cluster.workload import ReplicaController
from playbooks.core.containment import isolation, lifetime
from playbooks.core.containment.containment import contained, undo_command
from playbooks.core.containment.isolation import Isolation, IsolationNote
from playbooks.core.containment.lifetime import Lifetime
from playbooks.core.errors import AlreadyExists, Conflict, NotFound, NotPermitted, Refused
from playbooks.core.instant import Instant, duration_or_off
from playbooks.core.outcome import FollowUp, Outcome
from playbooks.core.ports import Cluster, Ledger
from playbooks.core.proof import Proof, Proven
from playbooks.core.reaction import NETWORK_POLICIES, Verified, target_now
from playbooks.core.settings import Setting, namespaces, networks, one_of, yes_or_no
from playbooks.reactions.contain_target import ContainTarget, ending
from playbooks.reactions.isolation import changes, other_policies
from playbooks.reactions.isolation.changes_of_policies import CIDRS, DIRECTION, DNS, NAMESPACES, TTL
from playbooks.reactions.isolation.confirmation import confirmation
from playbooks.reactions.isolation.plan import IsolationPlan

# Controllers that start another replica for a pod they no longer select.
_REPLACING = ("ReplicaSet", "ReplicationController")

# Access modes with which the next replica could not mount what the pod still holds.
_EXCLUSIVE = ("ReadWriteOnce", "ReadWriteOncePod")

# Characters of JSON that the labels taken off a pod may have: the ledger remembers them.
LONGEST_DETACHED = 2000

# For how long it is looked whether the network plugin knows of it, and seconds between two looks.
CONFIRM, LOOK = "ISOLATE_CONFIRM", 2.0


class IsolatePod(ContainTarget):
    """Stores one policy for exactly this pod, then labels the pod so that it applies.

    ``direction``: both, ingress or egress. ``reachable``: what stays so. ``detach``: with both,
    take a replica's pod out of its Service and controller too. ``policy``: of which kind it is,
    ``kubernetes``, ``cilium``, ``calico``, or ``auto``. ``confirm``: seconds for which it is looked
    whether the network plugin knows of it, None for no such look. Policies of others are never
    changed; since policies add up, those that still allow traffic are named.
    """

    TARGETS = "pods"
    CONTAINMENT = Isolation
    TTL = TTL
    SETTINGS = (
        Setting(
            DIRECTION,
            one_of("both", "egress", "ingress"),
            "both",
            "Which traffic is denied: `both`, `egress` or `ingress`",
        ),
        Setting(
            CIDRS,
            networks,
            "",
            "Networks that stay reachable, such as `10.1.2.0/24`, comma-separated",
        ),
        Setting(
            NAMESPACES,
            namespaces,
            "",
            "Namespaces whose pods stay reachable, such as `monitoring`, comma-separated",
        ),
        Setting(
            DNS,
            yes_or_no,
            "false",
            "Let the pod ask the cluster's DNS: port 53 of the pods of `kube-system`",
        ),
        Setting(
            changes.DETACH,
            yes_or_no,
            "true",
            "With direction `both`, take a replica's pod out of its Service and its controller,"
            " which then starts another",
        ),
        Setting(
            denying.SETTING,
            one_of(denying.AUTO, *denying.KINDS),
            "kubernetes",
            "The kind of policy: `kubernetes`, a NetworkPolicy; `cilium` or `calico`, which deny"
            " what other policies allow; `auto`: the one of these two that the cluster serves",
        ),
        Setting(
            CONFIRM,
            duration_or_off(1, 600),
            "30s",
            "How long the worker looks whether Cilium has the label of an isolated pod in the pod's"
            " identity; other engines do not look. Or `off`",
        ),
        lifetime.ttl(
            TTL,
            "How long a pod stays isolated, such as `2h`; each further alert about it extends that."
            " Then the pod is released or, if it was detached, deleted. Or `off`",
        ),
        *proof.SETTINGS,
    )
    PERMISSIONS = (
        Permission("pods", ("get", "list", "patch")),
        Permission("services", ("list",)),
        Permission("replicationcontrollers", ("get",)),
        Permission("persistentvolumeclaims", ("get",)),
        Permission("replicasets", ("get",), group="apps"),
        Permission("networkpolicies", ("list", "create", "update"), group="networking.k8s.io"),
        Permission("pods", ("delete",), only_with=TTL),
        Permission("networkpolicies", ("delete",), group="networking.k8s.io", only_with=TTL),
        *(kind.listing for kind in OTHERS),
        *CILIUM.writing(setting=denying.SETTING, values=(denying.AUTO, "cilium"), ttl=TTL),
        *CALICO.writing(setting=denying.SETTING, values=(denying.AUTO, "calico"), ttl=TTL),
        Permission(
            *("ciliumendpoints", ("get",), CILIUM.group),
            only_with=CONFIRM,
            optional=True,
            for_looks=True,
        ),
    )

    CHANGES = changes.CHANGES
    RELIES_ON = (NETWORK_POLICIES,)

    def __init__(
        self,
        cluster: Cluster,
        ledger: Ledger,
        proof: Proof,
        lifetime: Lifetime,
        *,
        direction: str,
        reachable: Reachable,
        detach: bool,
        policy: str = "kubernetes",
        confirm: Optional[float] = None,
    ) -> None:
        super().__init__(cluster, ledger, proof, lifetime)
        self._types = network_policy.directions(direction)
        self._reachable = reachable
        self._detach = detach and direction == "both"
        self._policy = policy
        self._confirm = confirm

    def plan(self, alert: Alert) -> Union[Action, Outcome]:
        proven = self._proof.of(alert)
        if isinstance(proven, Outcome):
            return proven
        pod = proven.pod
        if pod.finished:
            return proven.skipped("finished", f"{pod} has {pod.phase.lower()} already")
        if pod.host_network:
            said = (
                f"{pod} has the network of its node: no policy applies, and it goes on running."
                f" Deleting it, or draining {pod.node}, ends it"
            )
            skipped = proven.skipped("host-network", said)
            return replace(skipped, held=True, target_ref=target_ref("isolate", pod))
        before = IsolationNote.of(self._notes_of(pod))
        plan = self._plan(pod, before)
        if plan.done:
            return self._extension(proven, plan, before) or _done_already(proven, plan)
        return proven.action(
            "isolate",
            f"store a policy: {plan.summary}",
            lambda: self._carry_out(proven, plan, before, alert.rule),
            _facts(proven, plan),
        )

    def verify(self, action: Action) -> Optional[Verified]:
        """That label and policy are there; whether they are in force is another matter."""
        found = target_now(action.pod, self._cluster)
        if isinstance(found, Verified):
            return found
        if found.labels.get(LABEL) != found.uid:
            return Verified(False, f"{found} has the label {LABEL} of its isolation no longer")
        stored = action.facts.get("policy_kind")
        kind = next((k for k in denying.KINDS.values() if str(k) == stored), NETWORK_POLICY)
        policies = self._cluster.network_policies(found.namespace, kind)
        if not any(network_policy.isolates(policy, found) for policy in policies):
            return Verified(False, f"the policy that isolates {found} is there no longer")
        return Verified(True, f"label and policy that isolate {found} are there")

    def _carry_out(
        self, proven: Proven, plan: IsolationPlan, before: IsolationNote, rule: str
    ) -> Outcome:
        pod, until = plan.pod, self._lifetime.ends(before.until)
        self._store(plan)
        try:
            note = replace(before, rule=rule, at=str(self._now()), until=until)
            plan = self._label(plan, note)
        except NotFound:
            return proven.skipped("pod-gone", f"{pod} is gone")
        said = f"policy stored: {plan.summary}{f'; until {until}' if until else ''}"
        outcome = Outcome.acted(
            str(pod), plan.reason, said, **_facts(proven, plan), **_more(plan, note)
        )
        return replace(outcome, follow_ups=self._looks(pod))

    def _looks(self, pod: Pod) -> Tuple[FollowUp, ...]:
        if self._confirm is None:
            return ()
        look = partial(confirmation, self._cluster, pod, self._lifetime.clock, self._now())
        return (FollowUp(look, after=LOOK, every=LOOK, until=self._confirm),)

    def _extension(
        self, proven: Proven, plan: IsolationPlan, before: IsolationNote
    ) -> Optional[Action]:
        """A later end, where the isolation has one."""
        pod, note = plan.pod, self._lifetime.extended(before)
        if note is None:
            return None
        what = f"{pod} isolated{note.ending} instead of {before.until}"

        def carry_out() -> Outcome:
            try:
                self._write(pod, note, {})
            except NotFound:
                return proven.skipped("pod-gone", f"{pod} is gone")
            return Outcome.acted(
                str(pod), "extended", f"left {what}", **_facts(proven, plan), **_more(plan, note)
            )

        return proven.action("isolate", f"leave {what}", carry_out, _facts(proven, plan))

    def _now(self) -> Instant:
        return self._lifetime.begins()

    def _plan(self, pod: Pod, before: IsolationNote) -> IsolationPlan:
        kind, instead = self._kind(pod.namespace)
        policy = denying.isolating(kind, pod, self._types, self._reachable)
        name, stored, namesake = policy["metadata"]["name"], None, ""
        listed = self._cluster.network_policies(pod.namespace)
        of_kind = listed
        if kind != NETWORK_POLICY:
            of_kind = self._cluster.network_policies(pod.namespace, kind)
        for found in of_kind:
            if network_policy.isolates(found, pod):
                stored = found
            elif network_policy.own_name(found) == name:
                namesake = name
        others = [each for each in listed if each is not stored]
        if stored is not None:
            metadata = {**policy["metadata"], "name": stored["metadata"]["name"]}
            policy = {**policy, "metadata": metadata}
        elif namesake:
            policy = network_policy.renamed(policy, self._now())
        theirs = other_policies.of_kubernetes(others)
        around = other_policies.read(self._cluster, pod, kind, theirs)
        plan = IsolationPlan(pod, policy, stored, around, self._types, self._reachable)
        plan = replace(plan, namesake=namesake, kind=kind, instead=instead)
        was_detached = pod.owner is None and before.detached
        if not self._detach or was_detached:
            return plan
        obstacle = self._obstacle(pod)
        if obstacle:
            return replace(plan, attached_because=obstacle)
        keys = self._selecting_keys(plan)
        detached = {key: pod.labels[key] for key in sorted(keys)}
        if len(json.dumps(detached)) > LONGEST_DETACHED:
            return replace(plan, attached_because="its labels are too long to be remembered")
        return replace(plan, detached=detached)

    def _kind(self, namespace: str) -> Tuple[PolicyKind, str]:
        """The kind of policy to store, and why it is not the one that was asked for."""
        if self._policy == "kubernetes":
            return NETWORK_POLICY, ""
        served = [kind for kind in self._cluster.policy_kinds() if kind in denying.KINDS.values()]
        storable = [kind for kind in served if self._cluster.may_store(kind, namespace)]
        found = denying.wanted(self._policy, storable)
        if found != NETWORK_POLICY or self._policy == denying.AUTO:
            return found, ""
        kind = denying.KINDS[self._policy]
        why = "the account may store" if kind in served else "the cluster serves"
        return NETWORK_POLICY, f"a NetworkPolicy, as {why} no {kind.several}"

    def _obstacle(self, pod: Pod) -> str:
        """Why the pod cannot be detached, or empty."""
        if pod.owner is None:
            return "it has no controller that would start another"
        if pod.owner.kind not in _REPLACING:
            return f"it belongs to {pod.owner}"
        for claim in pod.volume_claims:
            try:
                modes = self._cluster.access_modes(claim, namespace=pod.namespace)
            except NotFound:
                continue
            if set(modes) & set(_EXCLUSIVE):
                return f"another replica could not mount its claim {claim} ({', '.join(modes)})"
        return ""

    def _selecting_keys(self, plan: IsolationPlan) -> Set[str]:
        """The labels by which controller, Services and policies of others select the pod."""
        pod, keys = plan.pod, set()
        for selector in self._selectors(pod):
            if selector.selects(pod.labels):
                keys |= selector.keys_in(pod.labels)
        target = plan.others.target(pod, pod.labels)
        for policy in plan.others.policies:
            keys |= policy.keys(target)
        return keys - {LABEL}

    def _selectors(self, pod: Pod) -> List[Selector]:
        found = self._cluster.service_selectors(pod.namespace)
        try:
            if pod.owner:
                owner = self._cluster.owner(pod.owner, namespace=pod.namespace)
                found.append(ReplicaController.of(pod.owner.kind, owner).selector)
        except NotFound:
            pass
        return found

    def _store(self, plan: IsolationPlan) -> None:
        """Also where it is stored, while the pod has no label yet: whoever is about to release
        the pod then cannot delete the policy that it read."""
        policy = network_policy.signed(plan.policy, self._now())
        if plan.stored is None:
            try:
                return self._cluster.create_network_policy(policy)
            except AlreadyExists as error:
                raise Conflict(str(error)) from error
        if plan.policy_applies:
            return None
        version = plan.stored["metadata"]["resourceVersion"]
        metadata = {**policy["metadata"], "resourceVersion": version}
        try:
            return self._cluster.replace_network_policy({**policy, "metadata": metadata})
        except NotFound as error:
            raise Conflict(str(error)) from error

    def _label(self, plan: IsolationPlan, note: IsolationNote) -> IsolationPlan:
        """One patch; a second one, without taking labels off, where the API refuses that."""
        try:
            self._patch(plan, note)
            return plan
        except (NotPermitted, Refused) as error:
            if not plan.detached:
                raise
            attached = replace(
                plan, detached={}, attached_because=f"the API refused to take labels off ({error})"
            )
        self._patch(attached, note)
        return attached

    def _patch(self, plan: IsolationPlan, note: IsolationNote) -> None:
        labels: Dict[str, Optional[str]] = dict.fromkeys(plan.detached)
        written = replace(
            note,
            policy=plan.policy["metadata"]["name"],
            policy_kind=_other_kind(plan) or note.policy_kind,
            detached={**note.detached, **plan.detached},
            detached_from=str(plan.pod.owner or note.detached_from),
            reason=plan.reason,
        )
        self._write(plan.pod, written, {**labels, LABEL: plan.pod.uid})

    def _write(self, pod: Pod, note: IsolationNote, labels: Mapping[str, Optional[str]]) -> None:
        """In the ledger first: what is taken off must be known there. On the pod, annotations that
        somebody else gave such a name come off."""
        notes = note.annotations()
        self._ledger.contain(contained(pod, notes))
        self._cluster.patch_pod(pod, labels=labels, annotations={**isolation.on(pod), **notes})


def _other_kind(plan: IsolationPlan) -> str:
    """That of its policy, where it is no NetworkPolicy."""
    return "" if plan.kind == NETWORK_POLICY else str(plan.kind)


def _facts(proven: Proven, plan: IsolationPlan) -> Dict[str, Any]:
    return {
        **proven.facts,
        "policy": plan.policy["metadata"]["name"],
        **({"policy_kind": _other_kind(plan)} if _other_kind(plan) else {}),
        "detached_labels": dict(plan.detached),
        "still_allowing": plan.allowing,
        **({"may_still_allow": plan.may_allow} if plan.may_allow else {}),
    }


def _more(plan: IsolationPlan, note: IsolationNote) -> Dict[str, Any]:
    """``undo``: a detached pod has been replaced, and so is deleted instead of released."""
    pod, detached, until = plan.pod, plan.detached or note.detached, note.until
    undo = f"kubectl delete pod {pod.name} -n {pod.namespace}" if detached else undo_command(pod)
    return ending(undo, until)


def _done_already(proven: Proven, plan: IsolationPlan) -> Outcome:
    said = f"{proven.pod} is isolated already"
    if plan.allowing:
        said += f"; {', '.join(plan.allowing)} still allow traffic"
    if plan.may_allow:
        said += f"; {', '.join(plan.may_allow)} may still allow traffic"
    return Outcome.skipped("already-isolated", said, str(proven.pod), **_facts(proven, plan))
