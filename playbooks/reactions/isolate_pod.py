"""Cut the pod that an alert is about off the network, and keep it for forensics."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, Dict, Mapping, Optional, Tuple, Union

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
    OTHERS,
)
from playbooks.core.containment import isolation, lifetime
from playbooks.core.containment.containment import contained, noting, undo_command
from playbooks.core.containment.isolation import Isolation, IsolationNote
from playbooks.core.containment.lifetime import Lifetime
from playbooks.core.errors import AlreadyExists, Conflict, NotFound, NotPermitted, Refused
from playbooks.core.instant import Instant, duration_or_off
from playbooks.core.outcome import (
    IDENTITY_CONFIRMED,
    NOT_KNOWN,
    UNCONFIRMED,
    FollowUp,
    Outcome,
    Status,
)
from playbooks.core.ports import Cluster, Ledger
from playbooks.core.proof import Proof, Proven
from playbooks.core.reaction import NETWORK_POLICIES, Verified, target_now
from playbooks.core.settings import Setting, namespaces, networks, one_of, yes_or_no
from playbooks.reactions.contain_target import ContainTarget, ending
from playbooks.reactions.isolation import changes
from playbooks.reactions.isolation.changes_of_policies import CIDRS, DIRECTION, DNS, NAMESPACES, TTL
from playbooks.reactions.isolation.plan import IsolationPlan, Planner

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
        self._planner = Planner(
            cluster,
            network_policy.directions(direction),
            reachable,
            lifetime.begins,
            detach=detach and direction == "both",
            policy=policy,
        )
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
        plan = self._planner.plan(pod, before)
        if plan.done:
            said = "; ".join((f"{pod} is isolated already", *plan.leaks))
            return self._extension(proven, plan, before) or Outcome.skipped(
                "already-isolated", said, str(pod), **_facts(proven, plan)
            )
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
        kind = denying.kind_called(action.facts.get("policy_kind", ""))
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
        look = partial(self._confirmation, pod, self._now())
        return (FollowUp(look, after=LOOK, every=LOOK, until=self._confirm),)

    def _confirmation(self, pod: Pod, since: Instant, last: bool) -> Optional[Outcome]:
        """Whether a network plugin knows that the pod is isolated, as far as it tells. None: to be
        looked at again. ``since``: when the pod was labelled.

        Cilium's agents write the labels of a pod's identity into its CiliumEndpoint. That the label
        is there does not say that traffic is denied: no agent writes enforcement there (1.18).
        Other plugins say nothing of the kind.
        """
        labels = self._cluster.identity_labels(pod)
        if labels is None:
            said = (
                "nothing in the cluster tells whether a network plugin knows that"
                f" {pod} is isolated"
            )
            return Outcome(Status.LOOKED, NOT_KNOWN, said, str(pod))
        seconds = round(self._now().seconds_since(since), 1)
        if f"k8s:{LABEL}={pod.uid}" in labels:
            said = f"Cilium has {LABEL} in the identity of {pod} after {seconds:g}s"
            return Outcome(Status.LOOKED, IDENTITY_CONFIRMED, said, str(pod), {"seconds": seconds})
        if not last:
            return None
        if not labels:
            said = f"Cilium has no endpoint with an identity for {pod}: it may be gone"
            return Outcome(Status.LOOKED, NOT_KNOWN, said, str(pod))
        said = (
            f"Cilium does not have {LABEL} in the identity of {pod} after {seconds:g}s: it may come"
            " later (identity-max-jitter), or its list of identity labels leaves it out (labels)"
        )
        return Outcome(Status.LOOKED, UNCONFIRMED, said, str(pod), {"seconds": seconds})

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
                said = f"left {what}{self._write(pod, note, {})}"
            except NotFound:
                return proven.skipped("pod-gone", f"{pod} is gone")
            return Outcome.acted(
                str(pod), "extended", said, **_facts(proven, plan), **_more(plan, note)
            )

        return proven.action("isolate", f"leave {what}", carry_out, _facts(proven, plan))

    def _now(self) -> Instant:
        return self._lifetime.begins()

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
            return self._patched(plan, note)
        except (NotPermitted, Refused) as error:
            if not plan.detached:
                raise
            attached = replace(
                plan, detached={}, attached_because=f"the API refused to take labels off ({error})"
            )
        # They are on the pod still: nobody puts them back, and the pod is not replaced.
        self._ledger.release(plan.pod.uid, (isolation.DETACHED_LABELS, isolation.DETACHED_FROM))
        return self._patched(attached, note)

    def _patched(self, plan: IsolationPlan, note: IsolationNote) -> IsolationPlan:
        labels: Dict[str, Optional[str]] = dict.fromkeys(plan.detached)
        written = replace(
            note,
            policy=plan.policy["metadata"]["name"],
            policy_kind=plan.other_kind or note.policy_kind,
            detached={**note.detached, **plan.detached},
            detached_from=str(plan.pod.owner or note.detached_from),
            reason=plan.reason,
        )
        unnoted = self._write(plan.pod, written, {**labels, LABEL: plan.pod.uid})
        return replace(plan, unnoted=unnoted)

    def _write(self, pod: Pod, note: IsolationNote, labels: Mapping[str, Optional[str]]) -> str:
        """In the ledger first: what is taken off must be known there. On the pod, annotations that
        somebody else gave such a name come off. What is to be said beside, or empty."""
        notes, off = note.to_notes(), isolation.annotations_off(pod)
        self._ledger.contain(contained(pod, notes))
        return noting(
            lambda more: self._cluster.patch_pod(pod, labels=labels, annotations={**off, **more}),
            notes,
        )


def _facts(proven: Proven, plan: IsolationPlan) -> Dict[str, Any]:
    return {**proven.facts, **plan.facts}


def _more(plan: IsolationPlan, note: IsolationNote) -> Dict[str, Any]:
    """``undo``: a detached pod has been replaced, and so is deleted instead of released."""
    pod, detached, until = plan.pod, plan.detached or note.detached, note.until
    undo = f"kubectl delete pod {pod.name} -n {pod.namespace}" if detached else undo_command(pod)
    return ending(undo, until)
