"""Two pods that talk to each other, in a namespace of their own."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping

from playbooks.core.cluster import network_policy
from playbooks.core.cluster.manifest import MANAGED_BY, Manifest, reference
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.cluster.pod import Pod
from playbooks.core.cluster.policies import denying
from playbooks.core.cluster.policies.kinds import NETWORK_POLICY, PolicyKind
from playbooks.core.errors import NotPermitted
from playbooks.deployment.apply.readiness import NotReady, of_pod
from playbooks.deployment.apply.waiting import Check, Sleep, looks
from playbooks.deployment.errors import DeploymentError
from playbooks.deployment.manifests.environment import escaped
from playbooks.deployment.manifests.worker_pod import CONFINED, SECURITY, TMP, TMP_VOLUME

PROGRAM = Path(__file__).with_name("probe_program.py").read_text(encoding="utf-8")
PYTHON = "python3"

BARE, REPLICA = "bare", "replica"
KINDS = (BARE, REPLICA)

# Seconds between two looks, and until both are ready: an image may have to be pulled.
PAUSE, WITHIN = 1.0, 120.0

_LABEL = "falco/probe"
_LABELS = {
    MANAGED_BY: "falco-playbook",
    "pod-security.kubernetes.io/enforce": "restricted",
}


@dataclass(frozen=True)
class Heard:
    """Whether anything comes back from the pod, or to it: over a connection that was open before,
    and over new ones. ``open_last``, ``new_last``: when something did last, by the clock
    that the pods were given."""

    open: bool
    new: bool
    open_last: float = field(default=0.0, compare=False)
    new_last: float = field(default=0.0, compare=False)


class ProbePods:
    """One that a ReplicaSet made, and a bare one. ``policy``: the kind of those that isolate them.
    Raises DeploymentError."""

    def __init__(
        self,
        cluster: ClusterObjects,
        image: str,
        *,
        sleep: Sleep,
        check: Check,
        policy: PolicyKind = NETWORK_POLICY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster = cluster
        self._image = image
        self._sleep = sleep
        self._check = check
        self._policy_kind = policy
        self._clock = clock
        self._pods: Dict[str, Manifest] = {}
        self._rounds = 0
        self._made = True
        self.namespace = f"falco-check-{secrets.token_hex(4)}"

    def begin(self) -> None:
        """Until both are ready."""
        metadata = {"name": self.namespace, "labels": _LABELS}
        try:
            self._cluster.create([{"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}])
        except NotPermitted:
            self._made = False
            raise
        self._cluster.create(manifests(self.namespace, self._image))
        self._check()
        for _ in looks(WITHIN, check=self._check, sleep=self._sleep, pause=PAUSE):
            if self._ready():
                return
            if any(unready.final for unready in self._not_ready()):
                break
        why = next((unready.says for unready in self._not_ready()), "no pod was made")
        raise DeploymentError(
            f"its probe pods did not become ready with image {self._image}: {why}"
        )

    def talk(self) -> None:
        """Each with the other: over a connection opened now, and over new ones."""
        self._rounds += 1
        for kind, other in (KINDS, KINDS[::-1]):
            host = self._pods[other]["status"]["podIP"]
            self._run(kind, "talk", host, self._file)

    def heard(self) -> Heard:
        """Now: a few seconds are listened."""
        self._check()
        found = [self._heard(kind) for kind in KINDS]
        return Heard(
            any(each.open for each in found),
            any(each.new for each in found),
            max(each.open_last for each in found),
            max(each.new_last for each in found),
        )

    def _heard(self, kind: str) -> Heard:
        said = json.loads(self._run(kind, "heard", self._file))
        now = self._clock()
        open_last, new_last = (now - said.get(f"{way}_ago", 0.0) for way in ("open", "new"))
        return Heard(said["open"], said["new"], open_last, new_last)

    def isolate(self, kind: str) -> None:
        """As the playbook does it: the policy first, then the label that it selects."""
        pod = Pod(self._pods[kind])
        self._cluster.create([self._policy(kind)])
        label = {"metadata": {"labels": {network_policy.LABEL: pod.uid}}}
        self._cluster.patch(self._pods[kind], label)

    def release(self, kind: str) -> None:
        self._cluster.delete(self._policy(kind))

    def end(self) -> None:
        """Everything, without waiting until it is gone."""
        if self._made:
            self._cluster.delete(reference("v1", "Namespace", self.namespace))

    @property
    def _file(self) -> str:
        return f"/tmp/heard-{self._rounds}"

    def _ready(self) -> bool:
        """Remembers the pods."""
        for pod in self._listed():
            if of_pod(pod) is None and (pod.get("status") or {}).get("podIP"):
                self._pods[pod["metadata"]["labels"][_LABEL]] = pod
        return set(self._pods) == set(KINDS)

    def _not_ready(self) -> List[NotReady]:
        return [unready for unready in map(of_pod, self._listed()) if unready]

    def _listed(self) -> List[Manifest]:
        return self._cluster.list(("pods",), namespace=self.namespace, selector=_LABEL)

    def _policy(self, kind: str) -> Manifest:
        both = network_policy.directions("both")
        return denying.isolating(self._policy_kind, Pod(self._pods[kind]), both)

    def _run(self, kind: str, *words: str) -> str:
        name = self._pods[kind]["metadata"]["name"]
        command = (PYTHON, "-c", PROGRAM, *words)
        done = self._cluster.execute(self.namespace, name, "probe", command)
        if done.code:
            lines = (done.err or done.out).strip().splitlines() or [f"exit code {done.code}"]
            raise DeploymentError(f"in its probe pod {name}, {words[0]} failed: {lines[-1]}")
        return done.out


def manifests(namespace: str, image: str) -> List[Manifest]:
    """They pass the Pod Security profile ``restricted``."""
    place = {"namespace": namespace}
    template = {"metadata": {"labels": {_LABEL: REPLICA}}, "spec": _pod(image)}
    return [
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "probe", **place},
            "automountServiceAccountToken": False,
        },
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": BARE, "labels": {_LABEL: BARE}, **place},
            "spec": _pod(image),
        },
        {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {"name": REPLICA, **place},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": {_LABEL: REPLICA}},
                "template": template,
            },
        },
    ]


def _pod(image: str) -> Mapping[str, Any]:
    resources = {"cpu": "100m", "memory": "64Mi"}
    container = {
        "name": "probe",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": [PYTHON, "-c", escaped(PROGRAM), "serve"],
        "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
        "resources": {"requests": resources, "limits": {"memory": "128Mi"}},
        "securityContext": dict(CONFINED),
        "volumeMounts": [TMP],
    }
    return {
        "automountServiceAccountToken": False,
        "containers": [container],
        "enableServiceLinks": False,
        "securityContext": SECURITY,
        "serviceAccountName": "probe",
        "terminationGracePeriodSeconds": 1,
        "volumes": [TMP_VOLUME],
    }
