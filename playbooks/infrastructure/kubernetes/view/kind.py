"""The objects of one kind, remembered: in the whole cluster, or in some namespaces one by one."""

from __future__ import annotations

import threading
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from playbooks.infrastructure.kubernetes.api import KubernetesApi
from playbooks.infrastructure.kubernetes.view.decoding import Seen, decoder
from playbooks.infrastructure.kubernetes.view.follower import Follower, Room


class WatchedKind:
    """``resource``: where the API has them, in all namespaces. ``shape``: the name of that which
    is kept. ``room`` and ``heard``: as KeptObjects has them.

    Nothing is followed before ``start``. What is not there, or not sure, is None: it is to be read.
    """

    def __init__(
        self,
        api: KubernetesApi,
        resource: Tuple[str, ...],
        shape: str,
        room: Room,
        namespaces: Sequence[str] = (),
        heard: Callable[[Seen], None] = lambda _: None,
    ) -> None:
        self.name = resource[-1]
        self._decoder = decoder(shape)
        self._lock = threading.Lock()
        self._started = False
        *group, last = resource
        # By namespace; empty for all of them.
        self._followers: Dict[str, Follower] = {}
        for space in namespaces or ("",):
            path = (*group, "namespaces", space, last) if space else resource
            self._followers[space] = Follower(api, path, self._decoder, heard, room)

    @property
    def followers(self) -> List[Follower]:
        return list(self._followers.values())

    def start(self) -> None:
        with self._lock:
            if not self._started:
                self._started = True
                for follower in self.followers:
                    follower.start()

    def stop(self) -> None:
        for follower in self.followers:
            follower.stop()

    @property
    def live(self) -> bool:
        return all(follower.live for follower in self.followers)

    def get(self, namespace: str, name: str) -> Optional[Mapping[str, Any]]:
        follower = self._followers.get(namespace) or self._followers.get("")
        if follower is None or not follower.live:
            return None
        text = follower.objects.get(namespace, name)
        return self._decoder.read(text) if text else None

    def holding(
        self, part: bytes, namespaces: Sequence[str] = ()
    ) -> Optional[List[Mapping[str, Any]]]:
        """Those that have a part in their JSON."""
        asked: List[Optional[Follower]] = [self._followers.get("")]
        if asked == [None]:
            asked = [self._followers.get(space) for space in namespaces] or [None]
        found: List[Mapping[str, Any]] = []
        for each in asked:
            if each is None or not each.live:
                return None
            texts = each.objects.holding(part, tuple(namespaces))
            found += [self._decoder.read(text) for text in texts]
        return found

    @property
    def count(self) -> int:
        return sum(follower.objects.count for follower in self.followers)

    @property
    def bytes(self) -> int:
        return sum(follower.objects.bytes for follower in self.followers)
