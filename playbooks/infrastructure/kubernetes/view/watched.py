"""The cluster that a playbook acts on, with its pods and what guards ask for remembered."""

from __future__ import annotations

import json
import threading
from collections import Counter
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple

from playbooks.core.claim import Claim
from playbooks.core.cluster.pod import Pod
from playbooks.core.cluster.workload import COUNTED, OWNING, Owner, Workload
from playbooks.core.errors import Conflict, NotFound, NotTheSameObject
from playbooks.core.ports import Remembered, WatchingCluster
from playbooks.infrastructure.kubernetes.api import KubernetesApi
from playbooks.infrastructure.kubernetes.cluster import KubernetesCluster
from playbooks.infrastructure.kubernetes.view.decoding import Seen
from playbooks.infrastructure.kubernetes.view.follower import MOST_BYTES, Room
from playbooks.infrastructure.kubernetes.view.kind import WatchedKind

PODS, NAMESPACES = ("api", "v1", "pods"), ("api", "v1", "namespaces")

# Of an alert: its pod was as it is remembered; it was not known, or the view not live, and so was
# read; it had changed since, and so was read and proven anew.
VIEW, READ, CHANGED = "view", "read", "changed"


class WatchedCluster(KubernetesCluster, WatchingCluster):
    """Pods are given from memory to who is ``remembering`` only. Of namespaces and workloads what
    is remembered stands for what is read; each kind is watched from the first time that it is asked
    for. Whatever is not known, or not sure, is read.

    ``namespaces``: the only ones that may be watched; none means all.
    """

    def __init__(
        self, api: Optional[KubernetesApi] = None, *, namespaces: Sequence[str] = ()
    ) -> None:
        api = api or KubernetesApi()
        super().__init__(api)
        room = Room(MOST_BYTES)
        self.pods = WatchedKind(api, PODS, "POD", room, namespaces, self._heard)
        self._workloads = {
            kind: WatchedKind(api, OWNING[kind].path(), "WORKLOAD", room, namespaces)
            for kind in COUNTED
        }
        # Which belong to no namespace, and so can be watched with rights in all of them only.
        self._namespaces = None if namespaces else WatchedKind(api, NAMESPACES, "NAMESPACE", room)
        self._local = threading.local()
        self._lock = threading.Lock()
        self._answers: Counter[str] = Counter({VIEW: 0, READ: 0, CHANGED: 0})
        # What part of a pod's text somebody waits for.
        self._awaited: Dict[bytes, List[Future[None]]] = {}

    def start(self) -> None:
        self.pods.start()

    def stop(self) -> None:
        for kind in self._kinds():
            kind.stop()

    @property
    def live(self) -> bool:
        return self.pods.live

    @property
    def answers(self) -> Mapping[str, int]:
        return dict(self._answers)

    @property
    def objects(self) -> Mapping[str, Tuple[int, int]]:
        return {kind.name: (kind.count, kind.bytes) for kind in self._kinds()}

    @contextmanager
    def remembering(self) -> Iterator[Remembered]:
        memory = self._local.memory = Remembered()
        try:
            yield memory
        finally:
            self._local.memory = None

    def pod(self, name: str, *, namespace: str) -> Pod:
        memory = self._memory
        if memory is not None:
            found = self.pods.get(namespace, name)
            if found is not None:
                memory.used = True
                return Pod(found, remembered=True)
            self._count(READ)
        return super().pod(name, namespace=namespace)

    def pods_on(self, node: str, *, namespaces: Tuple[str, ...]) -> Iterable[Pod]:
        memory = self._memory
        if memory is not None:
            part = f'"nodeName":{json.dumps(node)}'.encode()
            found = self.pods.holding(part, namespaces)
            if found:
                memory.used = True
                return [pod for each in found if (pod := Pod(each, remembered=True)).node == node]
            self._count(READ)
        return super().pods_on(node, namespaces=namespaces)

    def delete_pod(self, pod: Pod, *, grace_period_seconds: int) -> None:
        with self._counted(pod):
            super().delete_pod(pod, grace_period_seconds=grace_period_seconds)

    def patch_pod(
        self,
        pod: Pod,
        *,
        labels: Mapping[str, Optional[str]],
        annotations: Mapping[str, Optional[str]],
    ) -> None:
        with self._counted(pod):
            super().patch_pod(pod, labels=labels, annotations=annotations)

    def namespace_annotations(self, name: str) -> Mapping[str, str]:
        found = self._asked(self._namespaces, "", name)
        if found is None:
            return super().namespace_annotations(name)
        return found["metadata"].get("annotations") or {}

    def workload(self, owner: Owner, *, namespace: str) -> Optional[Workload]:
        found = self._asked(self._workloads.get(owner.kind), namespace, owner.name)
        if found is None:
            return super().workload(owner, namespace=namespace)
        return Workload.of(owner, found)

    def learned(self, claim: Claim) -> Optional[Future[None]]:
        if not claim.container_id or not self.pods.live:
            return None
        part = f"://{claim.container_id}".encode()
        future: Future[None] = Future()
        with self._lock:
            self._awaited.setdefault(part, []).append(future)
        future.add_done_callback(lambda done: self._no_longer(part, done))
        # It may have come meanwhile.
        if self.pods.holding(part, (claim.namespace,) if claim.namespace else ()):
            self._settle(part)
        return future

    @property
    def _memory(self) -> Optional[Remembered]:
        return getattr(self._local, "memory", None)

    def _kinds(self) -> List[WatchedKind]:
        others = [self._namespaces] if self._namespaces else []
        return [self.pods, *others, *self._workloads.values()]

    @staticmethod
    def _asked(
        kind: Optional[WatchedKind], namespace: str, name: str
    ) -> Optional[Mapping[str, Any]]:
        if kind is None:
            return None
        kind.start()
        return kind.get(namespace, name)

    def _heard(self, seen: Seen) -> None:
        if not self._awaited:
            return
        with self._lock:
            parts = tuple(self._awaited)
        for part in parts:
            if part in seen.text:
                self._settle(part)

    def _settle(self, part: bytes) -> None:
        # Who takes them out is the only one to tell them.
        with self._lock:
            futures = self._awaited.pop(part, [])
        for future in futures:
            if future.set_running_or_notify_cancel():
                future.set_result(None)

    def _no_longer(self, part: bytes, future: Future[None]) -> None:
        with self._lock:
            left = [each for each in self._awaited.get(part, ()) if each is not future]
            if left:
                self._awaited[part] = left
            else:
                self._awaited.pop(part, None)

    @contextmanager
    def _counted(self, pod: Pod) -> Iterator[None]:
        if not pod.remembered:
            yield
            return
        try:
            yield
        except (Conflict, NotFound, NotTheSameObject):
            self._count(CHANGED)
            raise
        self._count(VIEW)

    def _count(self, what: str) -> None:
        with self._lock:
            self._answers[what] += 1
