"""The proof of a target: which pod an alert is about, or why none can be named.

A name proves nothing. A pod is the alert's when its uid is the alert's (for a static pod: its
config hash), or when the alert's container id begins the id of one of its containers. Whatever else
the alert gives has to agree: each uid, each name, the container, and the node. Who writes an alert
with an id that he knows and one of somewhere else gets nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any, Callable, Dict, Iterable, Mapping, Optional, Set, Tuple, Union

from playbooks.core.action import Action
from playbooks.core.alert import Alert
from playbooks.core.claim import Claim
from playbooks.core.cluster.api_object import named
from playbooks.core.cluster.pod import Container, Pod
from playbooks.core.errors import ContainerIdPending, NotFound, NotPermitted, NotTheSameObject
from playbooks.core.outcome import Outcome
from playbooks.core.ports import Clock, Cluster
from playbooks.core.settings import Setting, Settings, all_names, matches_any, one_of

SETTINGS = (
    Setting(
        "IDENTITY",
        one_of("strict", "name"),
        "strict",
        "What proves a pod: `strict`, its uid or a container id; `name`, also the name in an audit"
        " alert whose response code says that the call succeeded, of a pod created before it",
    ),
)

# Seconds during which the API may not have heard of a container that just started.
LEARNING_SECONDS = 2.0

# Host names that are remembered as no node's.
MOST_NAMES = 10_000


@dataclass(frozen=True)
class Proven:
    """The alert's pod, what proved it, and the container in the alert, where it is known."""

    pod: Pod
    evidence: str
    container: Optional[Container] = None

    @property
    def facts(self) -> Dict[str, Any]:
        """What every outcome about the pod gives as details."""
        container = self.container.name if self.container else ""
        return {
            "uid": self.pod.uid,
            "node": self.pod.node,
            "container": container,
            "evidence": self.evidence,
        }

    def action(
        self,
        verb: str,
        message: str,
        carry_out: Callable[[], Outcome],
        facts: Optional[Mapping[str, Any]] = None,
    ) -> Action:
        """One on the pod. ``facts``: where there are more."""
        return Action(
            verb,
            str(self.pod),
            message,
            carry_out,
            pod=self.pod,
            facts=self.facts if facts is None else facts,
            why=(self.evidence,),
        )

    def skipped(self, reason: str, message: str, target: str = "") -> Outcome:
        """``target``: in words, where that is another than the pod."""
        return Outcome.skipped(reason, message, target or str(self.pod), **self.facts)


@dataclass(frozen=True)
class AlertOfSteps(Alert):
    """An alert that several reactions answer, one after the other. ``proven``: by what a proof is
    asked for, what it found. ``acted``: whether the cluster was changed since."""

    acted: bool = field(default=False, compare=False)
    proven: Dict[Tuple[bool, Tuple[str, ...]], Proven] = field(
        default_factory=dict, compare=False, repr=False
    )

    @classmethod
    def of(cls, alert: Alert) -> AlertOfSteps:
        return cls(**{each.name: getattr(alert, each.name) for each in fields(Alert)})


class Proof:
    """``namespaces``: globs, the only ones in which a pod is looked up; none means all."""

    def __init__(
        self, cluster: Cluster, clock: Clock, *, identity: str, namespaces: Tuple[str, ...]
    ) -> None:
        self._cluster = cluster
        self._clock = clock
        self._by_name = identity == "name"
        self._namespaces = namespaces
        # Host names that were no node's when they were looked up.
        self._no_nodes: Set[str] = set()

    @classmethod
    def with_settings(cls, cluster: Cluster, clock: Clock, settings: Settings) -> Proof:
        return cls(cluster, clock, identity=settings["IDENTITY"], namespaces=settings["NAMESPACES"])

    def of(self, alert: Alert) -> Union[Proven, Outcome]:
        """The proven pod, or the skipped outcome that says why there is none. For an alert that
        several reactions answer it is proven once. The rest as for ``_prove``."""
        if not isinstance(alert, AlertOfSteps):
            return self._prove(alert)
        key = self._by_name, self._namespaces
        found = self._still(alert, alert.proven.get(key)) or self._prove(alert)
        if isinstance(found, Proven):
            alert.proven[key] = found
        return found

    def _still(self, alert: AlertOfSteps, known: Optional[Proven]) -> Optional[Proven]:
        """The same pod as it is now, where something was done since; None where it is to be proven.
        A uid is that of one pod, ever."""
        if known is None or not alert.acted:
            return known
        try:
            return replace(known, pod=self._cluster.again(known.pod))
        except (NotFound, NotTheSameObject):
            return None

    def _prove(self, alert: Alert) -> Union[Proven, Outcome]:
        """The proven pod, or the skipped outcome that says why there is none.

        One API call where the alert gives the namespace. Raises ContainerIdPending where the API
        may learn in a moment that the container is the pod's.
        """
        claim = alert.claim
        if claim.conflict:
            said = f"the alert contradicts itself: {claim.conflict}"
            return Outcome.skipped("not-the-same-pod", said)
        if claim.unusable and claim.has_id:
            said = f"the alert gives {claim.unusable}, which cannot be one: it proves nothing"
            return Outcome.skipped("unproven", said)
        if not claim.points_at_pod:
            what = "a process of the host" if claim.host else "no pod"
            return Outcome.skipped("no-pod", f"the alert is about {what}")
        if claim.namespace and claim.pod:
            return self._named(alert, claim)
        if claim.container_id and claim.node:
            return self._found_on_node(alert, claim)
        missing = "names no pod" if claim.namespace else "gives no namespace"
        needed = "container id and node name (hostname)"
        return Outcome.skipped(
            "unproven", f"the alert {missing}, and without {needed} the pod cannot be looked up"
        )

    def _named(self, alert: Alert, claim: Claim) -> Union[Proven, Outcome]:
        target = named("pod", claim.pod, claim.namespace)
        if not claim.has_id and not self._accepts_name(alert, claim):
            return Outcome.skipped("unproven", self._no_id(alert, claim), target)
        try:
            pod = self._cluster.pod(claim.pod, namespace=claim.namespace)
        except NotFound:
            said = f"{target} is gone: it was not there when it was looked up"
            return Outcome.skipped("pod-gone", said, target)
        if not claim.has_id:
            return self._by_its_name(alert, pod)
        return self._judge(alert, claim, pod)

    def _found_on_node(self, alert: Alert, claim: Claim) -> Union[Proven, Outcome]:
        listed = self._pods_on(claim.node, (claim.namespace,) if claim.namespace else ())
        pods, found = 0, []
        for pod in listed:
            if matches_any(pod.namespace, self._namespaces):
                pods += 1
                found += [pod] if pod.container(claim.container_id) else []
        if len(found) == 1:
            return self._judge(alert, claim, found[0])
        if found:
            pods_of_it = ", ".join(map(str, found))
            return Outcome.skipped(
                "ambiguous",
                f"container {claim.container_id} is in {pods_of_it} on node {claim.node}",
            )
        if self._fresh(alert):
            raise ContainerIdPending(
                f"no pod on node {claim.node} has a container {claim.container_id} yet"
            )
        return Outcome.skipped(
            "unproven",
            f"the alert gives no namespace, and none of the {pods} pods that may be looked at"
            f" on node {claim.node} has a container {claim.container_id}",
        )

    def _pods_on(self, node: str, namespaces: Tuple[str, ...]) -> Iterable[Pod]:
        """Of these namespaces, or of all in which pods are looked up."""
        allowed = namespaces or self._namespaces
        return self._cluster.pods_on(node, namespaces=all_names(allowed))

    def _judge(self, alert: Alert, claim: Claim, pod: Pod) -> Union[Proven, Outcome]:
        """Whether the ids in the alert are those of the pod that was read."""
        uids = (claim.uid, *claim.other_uids) if claim.uid else ()
        strange = [uid for uid in uids if uid not in (pod.uid, pod.config_hash)]
        container = pod.container(claim.container_id) if claim.container_id else None
        contradictions = []
        if strange:
            contradictions.append(f"its uid is {pod.uid}, the alert's is {' and '.join(strange)}")
        if claim.pod and claim.pod != pod.name:
            contradictions.append(f"the alert names pod {claim.pod}")
        if claim.namespace and claim.namespace != pod.namespace:
            contradictions.append(f"the alert names namespace {claim.namespace}")
        if not contradictions and self._on_another_node(alert, claim, pod):
            contradictions.append(f"it is on node {pod.node}, the alert is of node {claim.node}")
        if contradictions and container:
            contradictions.append(
                f"although container {claim.container_id} is its container {container.name}"
            )
        if contradictions:
            return Outcome.skipped(
                "not-the-same-pod", f"{pod}: {', '.join(contradictions)}", str(pod), uid=pod.uid
            )
        if container:
            return Proven(
                pod, f"container {claim.container_id} is {container.name} in {pod}", container
            )
        if uids and not claim.container_id:
            return Proven(pod, f"uid {claim.uid} is that of {pod}")
        if uids and any(each.may_have_forgotten(alert.time) for each in pod.containers):
            said = f"uid {claim.uid} is that of {pod}, which was restarted since"
            return Proven(pod, said)
        if self._learning(alert, pod):
            raise ContainerIdPending(
                f"{pod} has no container {claim.container_id} yet: it has {_ids(pod)}"
            )
        return Outcome.skipped(
            "not-the-same-pod",
            f"{pod} has no container {claim.container_id}: it has {_ids(pod)}",
            str(pod),
            uid=pod.uid,
        )

    def _on_another_node(self, alert: Alert, claim: Claim, pod: Pod) -> bool:
        """Whether the alert's host is known to be another node than the pod's.

        Falco's own host name may be that of its pod, and no node's. A node is known by the pods
        that a kubelet says it runs there: a tenant can name any node in a pod of his.
        """
        host = claim.node
        if alert.source != "syscall" or not host or not pod.node or host == pod.node:
            return False
        if host not in self._no_nodes:
            try:
                running = [each for each in self._pods_on(host, ()) if each.phase == "Running"]
            except NotPermitted:
                running = []
            if running:
                return True
            if len(self._no_nodes) < MOST_NAMES:
                self._no_nodes.add(host)
        return False

    def _learning(self, alert: Alert, pod: Pod) -> bool:
        """Whether the API may hear of another container of this pod in a moment."""
        unknown = any(not container.ids for container in pod.containers)
        return not pod.finished and (unknown or self._fresh(alert))

    def _fresh(self, alert: Alert) -> bool:
        return self._clock.now().seconds_since(alert.time) < LEARNING_SECONDS

    def _accepts_name(self, alert: Alert, claim: Claim) -> bool:
        return (
            self._by_name and alert.source == "k8s_audit" and claim.succeeded and not claim.unusable
        )

    def _by_its_name(self, alert: Alert, pod: Pod) -> Union[Proven, Outcome]:
        # The API writes whole seconds: created in the alert's own second may be after it.
        if pod.created.seconds < alert.time.seconds:
            return Proven(pod, f"the audit alert names {pod}, which was there before it")
        return Outcome.skipped(
            "unproven",
            f"{pod} was created at {pod.created}, not before the alert of {alert.time}",
            str(pod),
            uid=pod.uid,
        )

    def _no_id(self, alert: Alert, claim: Claim) -> str:
        given = f" ({claim.unusable} cannot be one)" if claim.unusable else ""
        if alert.source != "k8s_audit":
            advice = "; let Falco give k8s.pod.uid and container.id"
        elif not self._by_name:
            advice = "; IDENTITY=name accepts names of successful audited calls"
        else:
            advice = ""
        return (
            f"the alert gives neither a pod uid nor a container id{given}, and a name alone proves"
            f" nothing{advice}"
        )


def _ids(pod: Pod) -> str:
    known = [
        f"{container.name} {container.ids[0][:12] if container.ids else 'without an id'}"
        for container in pod.containers
    ]
    return ", ".join(known) or "no containers"
