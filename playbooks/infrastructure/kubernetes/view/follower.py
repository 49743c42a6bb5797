"""Follows and remembers the objects of one kind: listed by pages, watched from there, and listed
anew on 410.

Tried on Kubernetes 1.34: a watch that is asked for bookmarks has one a minute, so that it is behind
when nothing came for longer; a resourceVersion of the future is no error, and no event comes. List
and then watch works with every etcd; a watch that begins with the objects does not.
"""

from __future__ import annotations

import logging
import random
import sys
import threading
import time
from typing import Callable, Dict, List, Set, Tuple

from playbooks.core.errors import NotPermitted, PlaybookError, RetryableError
from playbooks.infrastructure.kubernetes.api import KubernetesApi
from playbooks.infrastructure.kubernetes.view.decoding import GONE, Decoder, Seen

LOG = logging.getLogger(__name__)

# Objects of a page. One of 200 pods has 0.9 MB, which the memory of a process shows for good.
PAGE = 200

# Seconds without an event or a bookmark after which a watch is behind.
BEHIND = 75.0

# Seconds for which the API server is asked to keep a watch open, so that not all end at once.
SHORTEST, LONGEST = 240, 360

# Seconds between two tries, growing; and without the right to watch, which somebody may grant.
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 10.0
NO_RIGHT = 60.0

# Bytes of an object beyond which it is not remembered, but read: whoever may write one decides how
# many labels and annotations it has.
LARGEST = 8 * 1024

# Bytes that an object takes beside its text and its name: its place in a table, and what is lost
# between allocations. Measured with 20,000 pods.
PLACE = 500

Key = Tuple[str, str]


class KeptObjects:
    """By namespace and name. One thread writes, any may read.

    ``heard``: called with what is kept of an object each time that it is heard of.
    """

    def __init__(self, heard: Callable[[Seen], None]) -> None:
        self._heard = heard
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
            if len(seen.text) <= LARGEST:
                self._texts.setdefault(seen.namespace, {})[seen.name] = seen.text
                self.count += 1
                self.bytes += _size(seen.name, seen.text)
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
        self.count -= 1
        self.bytes -= _size(name, text)


def _size(name: str, text: bytes) -> int:
    return sys.getsizeof(text) + sys.getsizeof(name) + PLACE


class VersionGone(PlaybookError):
    """The API server no longer has the changes since that resourceVersion (410)."""

    reason = "version-gone"


class Follower:
    """Of the objects at a path of the API, which it remembers as ``objects``. ``heard``: as
    KeptObjects has it. Runs in a thread of its own, from ``start`` on."""

    def __init__(
        self,
        api: KubernetesApi,
        path: Tuple[str, ...],
        decoder: Decoder,
        heard: Callable[[Seen], None],
    ) -> None:
        self._api = api
        self._path = path
        self._decoder = decoder
        self.objects = KeptObjects(heard)
        self._clock = time.monotonic
        self._stopped = threading.Event()
        self._version = ""
        self._watching = False
        self._heard = float("-inf")
        self._complaint = ""
        #: How often all of them were listed.
        self.lists = 0

    def start(self) -> None:
        name = f"watch-{self._path[-1]}"
        threading.Thread(target=self.follow, name=name, daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    @property
    def live(self) -> bool:
        """Whether what is remembered is what the API server had a moment ago."""
        return self._watching and self._clock() - self._heard < BEHIND

    def follow(self) -> None:
        """Until stopped. Nothing ends it but that."""
        pause = FIRST_PAUSE
        while not self._stopped.is_set():
            try:
                self.turn()
                pause = FIRST_PAUSE
            except VersionGone:
                self._version = ""
            except Exception as error:
                self._complain(error)
                # Of one that was silent, nobody knows whether its version is one of the past.
                silent = self._clock() - self._heard >= BEHIND * 0.9
                if silent or not isinstance(error, RetryableError):
                    self._version = ""
                self._stopped.wait(NO_RIGHT if isinstance(error, NotPermitted) else pause)
                pause = min(pause * 2, LONGEST_PAUSE)

    def turn(self) -> None:
        """List, where there is no version to watch from, and watch until that ends."""
        if not self._version:
            self._list()
        self._watch()

    def _list(self) -> None:
        there: Set[Key] = set()
        rest, version = "", ""
        while True:
            query = {"limit": str(PAGE), **({"continue": rest} if rest else {})}
            page = self._decoder.page(self._api.read(*self._path, **query))
            for seen in page.seen:
                there.add((seen.namespace, seen.name))
                self.objects.put(seen)
            # All pages are of one version, unless the server had to give up that of the first.
            version = version or page.version
            rest = page.rest
            if not rest:
                break
            if self._stopped.is_set():
                return
        self.objects.keep_only(there)
        self._version = version
        self._heard = self._clock()
        self.lists += 1

    def _watch(self) -> None:
        query = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(random.randint(SHORTEST, LONGEST)),
        }
        with self._api.lines(*self._path, seconds=BEHIND, **query) as lines:
            self._watching, self._complaint = True, ""
            try:
                for line in lines:
                    if self._stopped.is_set():
                        return
                    self._take(line)
            finally:
                self._watching = False

    def _take(self, line: bytes) -> None:
        change = self._decoder.change(line)
        if change.kind == "ERROR":
            if change.code == GONE:
                raise VersionGone(change.message)
            raise PlaybookError(f"the watch ended: {change.message} ({change.code})")
        if change.kind == "DELETED":
            self.objects.remove(change.seen)
        elif change.seen is not None:
            self.objects.put(change.seen)
        self._version = change.version
        self._heard = self._clock()

    def _complain(self, error: Exception) -> None:
        said = f"{type(error).__name__}: {error}"
        if said != self._complaint and not self._stopped.is_set():
            LOG.warning(f"{self._path[-1]} are read for each alert, they cannot be watched: {said}")
        self._complaint = said
