"""Follows the Function and its triggers (listed, watched, resumed, and listed again on 410), and
knows what they ask of the worker."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Protocol, Tuple

from playbooks.core.cluster.manifest import REMOVING
from playbooks.core.errors import NotFound, PlaybookError, RetryableError
from playbooks.core.instant import Instant
from playbooks.engines import log
from playbooks.engines.worker.function import Function
from playbooks.engines.worker.topics import Subscription, plan

# Seconds that one watch lasts; after each the Function is read again.
WATCH = 30

# Seconds between two tries, growing up to 2: what changes takes effect within 5.
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 2.0

GONE = 410

# The NATSTriggers of a namespace, by name.
Triggers = Mapping[str, Mapping[str, Any]]


class Expired(PlaybookError):
    """The API server no longer has the changes since that resource version (410)."""

    reason = "expired"


class FunctionObjects(Protocol):
    """The Kubernetes API, as far as the worker needs it. Every method blocks."""

    def function(self) -> Mapping[str, Any]:
        """The worker's own Function. Raises NotFound and other PlaybookErrors."""

    def triggers(self) -> Tuple[List[Mapping[str, Any]], str]:
        """The NATSTriggers of its namespace, and the resource version of the list."""

    def watch(self, version: str, seconds: int) -> Iterator[Mapping[str, Any]]:
        """Changes of them after a version, for as long."""

    def missing(self) -> str:
        """Why the API server cannot be asked at the moment, or empty."""

    def may(self, verb: str, resource: str, group: str, namespace: str) -> bool:
        """Whether this account may do that. Raises a PlaybookError."""


class Feed:
    """Calls ``changed(function, triggers)`` from its thread, at first and after every change.

    ``changed(None, {})`` when the Function is gone, is going, or is another one than before.
    """

    def __init__(
        self,
        objects: FunctionObjects,
        changed: Callable[[Optional[Function], Triggers], None],
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._objects = objects
        self._changed = changed
        self._sleep = sleep
        self._stopped = threading.Event()
        self._function: Optional[Function] = None
        self._uid = ""
        self._triggers: Dict[str, Mapping[str, Any]] = {}
        self._version = ""
        self._complaint = self._reason = ""
        # Whether the last turn came as far as the watch.
        self._watching = False

    def start(self) -> None:
        threading.Thread(target=self.follow, name="triggers", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def is_removed(self) -> bool:
        """Whether the Function is being removed, or is gone. One call, which blocks; False where
        the API server does not say."""
        try:
            found = self._objects.function()
        except NotFound:
            return True
        except Exception as error:
            log.warn(f"whether the function is removed cannot be asked: {error}")
            return False
        metadata = found["metadata"]
        other = bool(self._uid) and metadata["uid"] != self._uid
        return other or function_of(found) is None or _is_marked(metadata)

    def follow(self) -> None:
        """Until stopped."""
        pause = FIRST_PAUSE
        while not self._stopped.is_set():
            try:
                self.turn()
                pause = FIRST_PAUSE
                self._is_well()
                self._watching = False
            except Expired:
                self._version = ""
            except Exception as error:
                self._complain(error)
                if not isinstance(error, RetryableError):
                    self._version = ""
                self._sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)

    def turn(self) -> None:
        """Read the Function, list the triggers where there is no list yet, watch for a while."""
        watched, self._watching = self._watching, False
        self._read_function()
        if not self._version:
            items, self._version = self._objects.triggers()
            self._triggers = {item["metadata"]["name"]: item for item in items}
        if not watched:
            self._is_well()
        self._watching = True
        self._report()
        for event in self._objects.watch(self._version, WATCH):
            if self._stopped.is_set():
                return
            self._take(event)

    def _take(self, event: Mapping[str, Any]) -> None:
        kind, item = event.get("type"), event.get("object") or {}
        if kind == "ERROR":
            self._version = ""
            if item.get("code") == GONE:
                raise Expired(str(item.get("message")))
            raise PlaybookError(f"the watch of triggers ended: {item.get('message')}")
        metadata = item.get("metadata") or {}
        self._version = metadata.get("resourceVersion") or self._version
        if kind in ("ADDED", "MODIFIED"):
            self._triggers[metadata["name"]] = item
        elif kind == "DELETED":
            self._triggers.pop(metadata["name"], None)
        else:
            return
        self._report()

    def _read_function(self) -> None:
        try:
            found = function_of(self._objects.function())
        except NotFound:
            found = None
        if found is not None:
            self._uid = self._uid or found.uid
            if found.uid != self._uid:
                found = None
        self._function = found

    def _report(self) -> None:
        if self._function is None:
            return self._changed(None, {})
        return self._changed(self._function, dict(self._triggers))

    def _is_well(self) -> None:
        """What was complained of is over: of the watch only once one lasted."""
        if self._complaint:
            log.info("triggers can be followed again", over=self._reason)
        self._complaint = ""

    def _complain(self, error: Exception) -> None:
        said = f"{type(error).__name__}: {error}"
        if said != self._complaint:
            self._reason = error.reason if isinstance(error, PlaybookError) else ""
            reason = {"reason": self._reason} if self._reason else {}
            log.warn(f"triggers cannot be followed, trying again: {said}", **reason)
        self._complaint = said


def _is_marked(metadata: Mapping[str, Any]) -> bool:
    return REMOVING in (metadata.get("annotations") or {})


def function_of(manifest: Mapping[str, Any]) -> Optional[Function]:
    """None for one that is being deleted."""
    metadata = manifest["metadata"]
    if metadata.get("deletionTimestamp"):
        return None
    return Function(
        metadata["namespace"],
        metadata["name"],
        metadata["uid"],
        Instant.parse(metadata["creationTimestamp"]),
        dict(metadata.get("labels") or {}),
    )


class Wanted:
    """What they ask of the worker at the moment. ``changed`` is set when other topics are wanted
    than before."""

    def __init__(self, namespace: str, function: str) -> None:
        self._name = f"{namespace}/{function}"
        self.changed = asyncio.Event()
        self._known = asyncio.Event()
        self._function: Optional[Function] = None
        self.subscriptions: Tuple[Subscription, ...] = ()
        self.refused: Tuple[str, ...] = ()

    async def function(self) -> Function:
        """The worker's own Function, once it was read from the API server."""
        await self._known.wait()
        assert self._function is not None
        return self._function

    def update(self, function: Optional[Function], triggers: Triggers) -> None:
        """From the feed: the Function (None where it is gone) and the triggers of its namespace."""
        if function is None:
            gone = f"Function {self._name} is gone, or not there yet: its worker takes no alerts"
            self._refuse((gone,))
            self._set(())
            return
        found = plan(triggers.values(), function)
        self._refuse(found.refused)
        if found.subscriptions != self.subscriptions or not self._known.is_set():
            topics = [s.topic for s in found.subscriptions]
            log.info(f"topics of {function.name}: {', '.join(topics) or 'none'}", topics=topics)
        self._function = function
        self._set(found.subscriptions)
        self._known.set()

    def _set(self, subscriptions: Tuple[Subscription, ...]) -> None:
        if subscriptions != self.subscriptions:
            self.subscriptions = subscriptions
            self.changed.set()

    def _refuse(self, refused: Tuple[str, ...]) -> None:
        for said in refused:
            if said not in self.refused:
                log.warn(said)
        self.refused = refused
