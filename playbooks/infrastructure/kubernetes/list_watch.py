"""Follows objects of the API: lists them, watches from there, and lists them anew where the API
server no longer has the changes since.

Tried on Kubernetes 1.34: a watch that is asked for bookmarks has one a minute, so that it is behind
when nothing came for longer; a resourceVersion of the future is no error, and no event comes. List
and then watch works with every etcd; a watch that begins with the objects does not.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from typing import Callable, ContextManager, Generic, Iterator, Mapping, Optional, Tuple, TypeVar

from playbooks.core.errors import NotPermitted, PlaybookError, RetryableError
from playbooks.core.ports import EMPTY
from playbooks.infrastructure.kubernetes.api import (
    AnswerTooLong,
    KubernetesApi,
    VersionGone,
)

# Objects of a page. One of 200 pods has 0.9 MB, which the memory of a process shows for good.
PAGE = 200

# Bytes of a page, at most: an object may have 1.5 MB, and who makes 200 of these would have it take
# 300. Such a page is asked for by fewer objects; one object alone may be longer, as its JSON is
# than what is stored.
PAGE_BYTES, FEWER, ALONE = 4 * 1024 * 1024, 8, 16 * 1024 * 1024

# Seconds without an event or a bookmark after which a watch is behind.
BEHIND = 75.0

# Seconds between the first two tries.
FIRST_PAUSE = 0.2

# Called once for each trouble, with its words and its reason code or none; and without words once
# that is over.
Trouble = Callable[[str, str], None]

# What a watch gives: an event, or its line.
Change = TypeVar("Change")

P = TypeVar("P")


def pages(
    api: KubernetesApi,
    path: Tuple[str, ...],
    read: Callable[[bytes], Tuple[P, str]],
    *,
    longest: int = PAGE,
    most: int = PAGE_BYTES,
    seconds: Optional[float] = None,
    selected: Mapping[str, str] = EMPTY,
) -> Iterator[P]:
    """``read``: the page that an answer is, and how to ask for the next one, or empty. ``longest``:
    objects of a page, ``most``: bytes of it; ``seconds`` between two parts of it, at most. Raises
    AnswerTooLong where one object alone is longer than it may be."""
    rest, limit = "", longest
    while True:
        query = {"limit": str(limit), **({"continue": rest} if rest else {}), **selected}
        try:
            allowed = most if limit > 1 else max(most, ALONE)
            page, rest = read(api.read(*path, most=allowed, seconds=seconds, **query))
        except AnswerTooLong:
            if limit == 1:
                raise
            limit = max(1, limit // FEWER)
            continue
        yield page
        # It is not held while the next one is read.
        del page
        if not rest:
            return
        limit = min(longest, limit * 2)


class ListWatch(ABC, Generic[Change]):
    """Runs in a thread of its own, from ``start`` until ``stop``: nothing else ends it.

    ``LONGEST_PAUSE``: seconds to which the pauses between two tries grow. ``NO_RIGHT``: those at
    least of one without the right to list or watch, which somebody may grant.
    """

    LONGEST_PAUSE, NO_RIGHT = 10.0, 60.0

    def __init__(self, name: str, trouble: Trouble) -> None:
        self._name = name
        self._trouble = trouble
        self._clock = time.monotonic
        self._stopped = threading.Event()
        self._version = ""
        self._heard = float("-inf")
        # Whether a watch is open, and whether the last one broke.
        self._watching = self._broke = False
        self._complaint = self._reason = ""

    @abstractmethod
    def _list(self) -> str:
        """Take all objects anew; the version to watch from."""

    @abstractmethod
    def _watch(self, version: str) -> ContextManager[Iterator[Change]]:
        """The changes since a version, for a while. Entered once the watch has begun. An event that
        is an error is raised, here or by ``_take``."""

    @abstractmethod
    def _take(self, change: Change) -> str:
        """One change; the version that it leads to."""

    def start(self) -> None:
        threading.Thread(target=self.follow, name=f"watch-{self._name}", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    @property
    def live(self) -> bool:
        """Whether what was taken is what the API server had a moment ago."""
        return self._watching and self._clock() - self._heard < BEHIND

    def follow(self) -> None:
        """Until stopped."""
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
                refused = isinstance(error, NotPermitted)
                self._stopped.wait(max(pause, self.NO_RIGHT) if refused else pause)
                pause = min(pause * 2, self.LONGEST_PAUSE)

    def turn(self) -> None:
        """List, where there is no version to watch from, and watch until that ends."""
        broke, self._broke = self._broke, False
        if not self._version:
            self._version = self._list()
            self._heard = self._clock()
        with self._watch(self._version) as changes:
            if not broke:
                self._is_well()
            self._watching = self._broke = True
            try:
                for change in changes:
                    if self._stopped.is_set():
                        return
                    self._version = self._take(change)
                    self._heard = self._clock()
            finally:
                self._watching = False
        self._broke = False
        self._is_well()

    def _complain(self, error: Exception) -> None:
        said = f"{type(error).__name__}: {error}"
        if said != self._complaint and not self._stopped.is_set():
            self._reason = error.reason if isinstance(error, PlaybookError) else ""
            self._trouble(said, self._reason)
        self._complaint = said

    def _is_well(self) -> None:
        """What was complained of is over: of a watch that broke only once one lasted."""
        if self._complaint:
            self._trouble("", self._reason)
        self._complaint = ""
