"""Follows and remembers the objects of one kind, listed by pages."""

from __future__ import annotations

import logging
import random
import sys
import threading
from typing import Callable, ContextManager, Dict, Iterator, List, Set, Tuple

from playbooks.infrastructure.kubernetes.api import KubernetesApi
from playbooks.infrastructure.kubernetes.list_watch import BEHIND, ListWatch, pages
from playbooks.infrastructure.kubernetes.view.decoding import Decoder, Page, Seen

LOG = logging.getLogger(__name__)

# Seconds for which the API server is asked to keep a watch open, so that not all end at once.
SHORTEST, LONGEST = 240, 360

# Bytes of an object beyond which it is not remembered, but read: whoever may write one decides how
# many labels and annotations it has.
LARGEST = 8 * 1024

# Bytes that all objects of all kinds may take; the others are read. 150,000 pods, and a ReplicaSet
# for every other, are less than that, unless somebody fills what each may have.
MOST_BYTES = 300 * 1024 * 1024

# Bytes that an object takes beside its text and its name: its place in a table, and what is lost
# between allocations. Measured with 20,000 pods.
PLACE = 500

Key = Tuple[str, str]


class Room:
    """Bytes that the objects of one view take together. Threads may share it."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = 0
        self._lock = threading.Lock()

    def take(self, size: int) -> bool:
        """Whether it was there."""
        with self._lock:
            if self._taken + size > self._most:
                return False
            self._taken += size
            return True

    def give(self, size: int) -> None:
        with self._lock:
            self._taken -= size


class KeptObjects:
    """By namespace and name. One thread writes, any may read.

    ``heard``: called with what is kept of an object each time that it is heard of.
    """

    def __init__(self, heard: Callable[[Seen], None], room: Room) -> None:
        self._heard = heard
        self._room = room
        self._lock = threading.Lock()
        self._texts: Dict[str, Dict[str, bytes]] = {}
        self.count = 0
        #: What they take, about.
        self.bytes = 0

    def get(self, namespace: str, name: str) -> bytes:
        """Empty where none is remembered."""
        found = self._texts.get(namespace)
        return found.get(name, b"") if found else b""

    def holding(self, part: bytes, namespaces: Tuple[str, ...]) -> List[bytes]:
        """Those of these namespaces, or of all, that have a part in their text."""
        with self._lock:
            places = [
                names
                for space, names in self._texts.items()
                if not namespaces or space in namespaces
            ]
            return [text for names in places for text in names.values() if part in text]

    def put(self, seen: Seen) -> None:
        with self._lock:
            self._forget(seen.namespace, seen.name)
            size = _size(seen.name, seen.text)
            if len(seen.text) <= LARGEST and self._room.take(size):
                self._texts.setdefault(seen.namespace, {})[seen.name] = seen.text
                self.count += 1
                self.bytes += size
        self._heard(seen)

    def remove(self, seen: Seen) -> None:
        with self._lock:
            self._forget(seen.namespace, seen.name)

    def keep_only(self, there: Set[Key]) -> None:
        """Forget what a list does not have."""
        with self._lock:
            known = [(space, name) for space, names in self._texts.items() for name in names]
            for space, name in known:
                if (space, name) not in there:
                    self._forget(space, name)

    def _forget(self, namespace: str, name: str) -> None:
        names = self._texts.get(namespace) or {}
        text = names.pop(name, None)
        if text is None:
            return
        if not names:
            del self._texts[namespace]
        size = _size(name, text)
        self.count -= 1
        self.bytes -= size
        self._room.give(size)


def _size(name: str, text: bytes) -> int:
    return sys.getsizeof(text) + sys.getsizeof(name) + PLACE


class Follower(ListWatch[bytes]):
    """Of the objects at a path of the API, which it remembers as ``objects``. ``heard`` and
    ``room``: as KeptObjects has them."""

    def __init__(
        self,
        api: KubernetesApi,
        path: Tuple[str, ...],
        decoder: Decoder,
        heard: Callable[[Seen], None],
        room: Room,
    ) -> None:
        super().__init__(path[-1], self._warn)
        self._api = api
        self._path = path
        self._decoder = decoder
        self.objects = KeptObjects(heard, room)

    def _list(self) -> str:
        there: Set[Key] = set()
        version = ""
        for page in pages(self._api, self._path, self._page):
            for seen in page.seen:
                there.add((seen.namespace, seen.name))
                self.objects.put(seen)
            # All pages are of one version, unless the server had to give up that of the first.
            version = version or page.version
            if self._stopped.is_set():
                return ""
        self.objects.keep_only(there)
        return version

    def _page(self, text: bytes) -> Tuple[Page, str]:
        page = self._decoder.page(text)
        return page, page.rest

    def _watch(self, version: str) -> ContextManager[Iterator[bytes]]:
        query = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(random.randint(SHORTEST, LONGEST)),
        }
        return self._api.lines(*self._path, seconds=BEHIND, **query)

    def _take(self, line: bytes) -> str:
        change = self._decoder.change(line)
        if change.kind == "DELETED":
            self.objects.remove(change.seen)
        elif change.seen is not None:
            self.objects.put(change.seen)
        return change.version

    def _warn(self, said: str, _: str) -> None:
        if said:
            LOG.warning(f"{self._path[-1]} are read for each alert, they cannot be watched: {said}")
