"""The objects of one kind, remembered: in the whole cluster, or in some namespaces one by one."""

from __future__ import annotations

import threading
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from playbooks.infrastructure.kubernetes.api import KubernetesApi
from playbooks.infrastructure.kubernetes.view.decoding import Seen, decoder
from playbooks.infrastructure.kubernetes.view.follower import Follower, KeptObjects


class Part(NamedTuple):
    """Of a namespace, or of all."""

    objects: KeptObjects
    follower: Follower


class WatchedKind:
    """``resource``: where the API has them, in all namespaces. ``shape``: the name of that which
    is kept. ``heard``: as KeptObjects has it.

    Nothing is followed before ``start``. What is not there, or not sure, is None: it is to be read.
    """

    def __init__(
        self,
        api: KubernetesApi,
        resource: Tuple[str, ...],
        shape: str,
        namespaces: Sequence[str] = (),
        heard: Callable[[Seen], None] = lambda _: None,
    ) -> None:
        self.name = resource[-1]
        self._decoder = decoder(shape)
        self._lock = threading.Lock()
        self._started = False
        *group, last = resource
        self._parts: Dict[str, Part] = {}
        for space in namespaces or ("",):
            path = (*group, "namespaces", space, last) if space else resource
            objects = KeptObjects(heard)
            self._parts[space] = Part(objects, Follower(api, path, self._decoder, objects))

    def start(self) -> None:
        with self._lock:
            if not self._started:
                self._started = True
                for part in self._parts.values():
                    part.follower.start()

    def stop(self) -> None:
        for part in self._parts.values():
            part.follower.stop()

    @property
    def live(self) -> bool:
        return all(part.follower.live for part in self._parts.values())

    def get(self, namespace: str, name: str) -> Optional[Mapping[str, Any]]:
        part = self._parts.get(namespace) or self._parts.get("")
        if part is None or not part.follower.live:
            return None
        text = part.objects.get(namespace, name)
        return self._decoder.read(text) if text else None

    def holding(
        self, part: bytes, namespaces: Sequence[str] = ()
    ) -> Optional[List[Mapping[str, Any]]]:
        """Those that have a part in their JSON."""
        if "" in self._parts:
            asked: List[Optional[Part]] = [self._parts[""]]
        else:
            asked = [self._parts.get(space) for space in namespaces] or [None]
        found: List[Mapping[str, Any]] = []
        for each in asked:
            if each is None or not each.follower.live:
                return None
            texts = each.objects.holding(part, tuple(namespaces))
            found += [self._decoder.read(text) for text in texts]
        return found

    @property
    def followers(self) -> List[Follower]:
        return [part.follower for part in self._parts.values()]

    @property
    def count(self) -> int:
        return sum(part.objects.count for part in self._parts.values())

    @property
    def bytes(self) -> int:
        return sum(part.objects.bytes for part in self._parts.values())
