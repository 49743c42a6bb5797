"""Delete the pod that an alert is about."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, List, Mapping, Optional, Tuple, Union

from playbooks.core import proof
from playbooks.core.action import Action, target_ref
from playbooks.core.alert import Alert
from playbooks.core.cluster.api_object import replaced
from playbooks.core.cluster.changes import BY_UID, DELETE, Changes, Rule, deletion, grace_is
from playbooks.core.cluster.permissions import Permission
from playbooks.core.cluster.pod import Pod
from playbooks.core.errors import EvidenceUnavailable, NotFound, NotTheSameObject, StillRunning
from playbooks.core.evidence import settings as evidence_settings
from playbooks.core.instant import after
from playbooks.core.outcome import ACCEPTED, Outcome
from playbooks.core.ports import Clock, Cluster, Evidence
from playbooks.core.proof import Proof, Proven
from playbooks.core.reaction import Reaction, Verified, target_now
from playbooks.core.settings import Setting, whole_number

# Seconds by which the clocks of nodes and API server, and the kubelet's end of a grace period, may
# differ: what acts later than that has survived its deletion.
LATE = 10.0


class DeletePod(Reaction):
    """At most two API calls where the alert gives the namespace: read the pod, delete it.

    ``grace_period_seconds``: what the containers get to end by themselves; 0 removes the object at
    once, while the containers may run on for a moment. ``evidence``: kept before that, where it is
    given; ``evidence_required``: without it nothing is deleted.
    """

    TARGETS = "pods"
    SETTINGS = (
        Setting(
            "GRACE_PERIOD_SECONDS",
            whole_number(0, 3600),
            "1",
            "Seconds between SIGTERM and SIGKILL; 0 removes the object at once, while its"
            " containers may run on for a moment",
        ),
        *proof.SETTINGS,
        *evidence_settings.SETTINGS,
    )
    DONE = ("pod-gone", "terminating", "finished")
    PERMISSIONS = (
        Permission("pods", ("get", "list", "delete")),
        Permission("pods/log", ("get",), only_with=evidence_settings.URL.name),
        Permission("events", ("list",), only_with=evidence_settings.URL.name),
    )
    CHANGES = (
        Changes(
            "pods",
            operations=(DELETE,),
            rules=(
                BY_UID,
                Rule(
                    "deletes a pod with GRACE_PERIOD_SECONDS",
                    grace_is("params.data.GRACE_PERIOD_SECONDS"),
                    settings=("GRACE_PERIOD_SECONDS",),
                    broken_by=lambda pod, texts: (
                        deletion(pod, int(texts["GRACE_PERIOD_SECONDS"]) + 1)
                        if pod.get("spec", {}).get("nodeName")
                        else None
                    ),
                ),
            ),
            allowed=lambda pod, texts: deletion(pod, int(texts.get("GRACE_PERIOD_SECONDS", "1"))),
        ),
    )

    def __init__(
        self,
        cluster: Cluster,
        clock: Clock,
        proof: Proof,
        *,
        grace_period_seconds: int,
        evidence: Optional[Evidence] = None,
        evidence_required: bool = False,
    ) -> None:
        self._cluster = cluster
        self._clock = clock
        self._proof = proof
        self._grace = grace_period_seconds
        self._evidence = evidence
        self._evidence_required = evidence_required

    installs = staticmethod(evidence_settings.packages)
    problems = staticmethod(evidence_settings.problems)

    def plan(self, alert: Alert) -> Union[Action, Outcome]:
        proven = self._proof.of(alert)
        if isinstance(proven, Outcome):
            return proven
        pod = proven.pod
        if pod.finished:
            return proven.skipped("finished", f"{pod} has {pod.phase.lower()} already")
        if pod.terminates_at:
            left = max(0.0, pod.terminates_at.seconds_since(self._clock.now()))
            if alert.time > after(pod.terminates_at, LATE):
                return self._still_running(proven)
            if left <= self._grace:
                return proven.skipped(
                    "terminating", f"{pod} is being deleted and has {left:.0f} s left"
                )
        remarks = "".join(f"; {remark}" for remark in self._remarks(proven))
        return proven.action(
            "delete",
            f"delete {pod}{remarks}",
            lambda: self._carry_out(proven, alert, remarks),
        )

    @property
    def settles(self) -> float:
        return float(self._grace)

    def verify(self, action: Action) -> Optional[Verified]:
        found = target_now(action.pod, self._cluster)
        if isinstance(found, Verified):
            return found
        ends = found.terminates_at
        left = f"was to end at {ends}" if ends else "is not being deleted"
        return Verified(False, f"{found} is still there: it {left}")

    def _still_running(self, proven: Proven) -> Outcome:
        """Failed, and held: what its container did is later than its deadline."""
        pod = proven.pod
        said = (
            f"{pod} was to end at {pod.terminates_at}, and its container acts on: deleting it again"
            " ends nothing. The playbook isolate cuts it off the network; draining and stopping"
            f" node {pod.node} ends it"
        )
        failed = Outcome.failed(StillRunning(said), str(pod), **proven.facts)
        return replace(failed, held=True, target_ref=target_ref("delete", pod))

    def _carry_out(self, proven: Proven, alert: Alert, remarks: str) -> Outcome:
        if self._evidence is None:
            return self._delete(proven, remarks)
        words, facts = self._keep(self._evidence, proven.pod, alert)
        outcome = self._delete(proven, remarks)
        details = {**outcome.details, **facts}
        return replace(outcome, message=outcome.message + words, details=details)

    def _keep(self, evidence: Evidence, pod: Pod, alert: Alert) -> Tuple[str, Mapping[str, Any]]:
        """Words and facts about the evidence. Raises EvidenceUnavailable where it is required."""
        try:
            kept = evidence.keep(pod, alert)
        except EvidenceUnavailable as error:
            if self._evidence_required:
                raise
            return f"; without evidence: {error}", {"evidence_missing": [str(error)]}
        return f"; {kept.words}", kept.facts

    def _delete(self, proven: Proven, remarks: str) -> Outcome:
        pod = proven.pod
        try:
            self._cluster.delete_pod(pod, grace_period_seconds=self._grace)
        except NotFound:
            return proven.skipped("pod-gone", f"{pod} is gone")
        except NotTheSameObject:
            return proven.skipped("not-the-same-pod", replaced(pod, pod.uid))
        return Outcome.acted(
            str(pod),
            ACCEPTED,
            f"deletion accepted of {pod}{remarks}",
            grace_period_seconds=self._grace,
            **proven.facts,
        )

    def _remarks(self, proven: Proven) -> List[str]:
        """What somebody should know who reads only the message."""
        pod, found = proven.pod, []
        others = [c.name for c in pod.containers if c != proven.container]
        if proven.container and others:
            found.append(f"also deletes containers {', '.join(others)}")
        if pod.terminates_at:
            # Tried on 1.34: a kubelet that has begun to stop a container cannot be hurried.
            found.append(
                "it was being deleted with a longer grace period, which its kubelet may still"
                " wait for"
            )
        if self._grace == 0:
            found.append("only the object is removed at once, its processes may run on a moment")
        if pod.static:
            found.append(f"it will come back: it is a static pod of node {pod.node}")
        elif pod.owner and pod.owner.kind == "DaemonSet":
            found.append(f"it will come back: it belongs to {pod.owner}")
        return found
