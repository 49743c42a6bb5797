"""Waiting for objects to go, and signals that interrupt it. Every wait has an end."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Type

from playbooks.core.cluster.manifest import Manifest, identity, shown
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.deployment.errors import Interrupted

PAUSE = 0.25

# Seconds in which a controller that runs has done its part of a deletion.
GONE_WITHIN = 60.0

Sleep = Callable[[float], None]
Check = Callable[[], None]

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def nothing() -> None:
    """The check of what cannot be interrupted."""


def looks(
    seconds: float, *, sleep: Sleep, check: Check = nothing, pause: float = PAUSE
) -> Iterator[None]:
    """For a loop that looks again until the time is over, the last time then: between two looks it
    calls ``check``, which may raise, and sleeps for ``pause`` seconds."""
    for _ in range(int(seconds / pause)):
        yield
        check()
        sleep(pause)
    yield


def when_changed(tell: Callable[[str], None]) -> Callable[[str], None]:
    """The same, but for a line that is the one that was told last."""
    last = ""

    def told(line: str) -> None:
        nonlocal last
        if line != last:
            tell(line)
            last = line

    return told


def until_gone(
    cluster: ClusterObjects,
    manifests: Sequence[Manifest],
    *,
    sleep: Sleep,
    check: Check = nothing,
    seconds: float = GONE_WITHIN,
) -> List[Manifest]:
    """The objects, as they are, that are still there in the end. ``check`` may raise."""
    left: List[Manifest] = []
    for _ in looks(seconds, check=check, sleep=sleep):
        left = [found for found in cluster.get(manifests) if _same(found, manifests)]
        if not left:
            break
    return left


def stuck(manifest: Manifest) -> str:
    """What to say of an object that is still there."""
    kind, namespace, name = identity(manifest)
    where = f"{kind.lower()} {name}" + (f" -n {namespace}" if namespace else "")
    return (
        f"{shown(manifest)} is still being deleted; its finalizer remains. Kubeless' controllers"
        " remove it: do they run? If they do, any change makes them look again: kubectl"
        f" annotate --overwrite {where} falco/again=true. If they never will: kubectl patch"
        f""" {where} --type merge -p '{{"metadata":{{"finalizers":null}}}}'"""
    )


def _same(found: Manifest, manifests: Sequence[Manifest]) -> bool:
    """Not a new object of the same name, where the uid of the old one is known."""
    uids = {m["metadata"].get("uid") for m in manifests}
    return None in uids or found["metadata"].get("uid") in uids


class Interruptions:
    """While it is entered, signals are only noted; ``check`` raises Interrupted for them."""

    def __init__(self) -> None:
        self._received: Optional[signal.Signals] = None
        self._handlers: Dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interruptions:
        for number in SIGNALS:
            # What is ignored, as SIGHUP under nohup, stays so.
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._handlers[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def check(self) -> None:
        if self._received is not None:
            raise Interrupted(self._received.value, self._received.name)

    def _note(self, number: int, _: Optional[FrameType]) -> None:
        self._received = signal.Signals(number)
