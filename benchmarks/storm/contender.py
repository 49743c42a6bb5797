"""Whoever answers alerts, and what is measured of it: the same for all."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field
from typing import List, Optional, Protocol, Sequence, Tuple

from benchmarks.storm.ground import Ground, Manifest, alert
from benchmarks.storm.measures import Highest, Memory, cpu_seconds, memory, percentile
from benchmarks.storm.tap import Tap

# Seconds between two alerts after which everybody is idle again: client-go asks five times a second
# at most, and Talon three times an alert.
SPACING = 0.8

# Seconds after it is ready until its memory at rest is read, and that a pod may take when idle.
REST = 3.0
PATIENCE = 10.0


class Contender(Protocol):
    """``pid``: of the process that is running."""

    name: str
    pid: int
    tap: Tap

    def start(self, *, tapped: bool = False) -> None:
        """Returns when it is ready. ``tapped``: it reaches the API server through ``tap``."""

    def send(self, alerts: Sequence[bytes]) -> None: ...

    def stop(self) -> None: ...


@dataclass(frozen=True)
class Storm:
    """``reactions`` a second, pods that were ``left``, seconds of ``cpu`` for a reaction."""

    reactions: float
    left: int
    memory: Memory
    cpu: float


@dataclass
class Figures:
    """What is not known of somebody is None. Times are seconds."""

    reactions: Optional[float] = None
    lost: int = 0
    skipped: Optional[float] = None
    skipped_after_call: Optional[float] = None
    asked: List[float] = field(default_factory=list)
    gone: List[float] = field(default_factory=list)
    among_many: List[float] = field(default_factory=list)
    rest: Optional[Memory] = None
    storm: Optional[Memory] = None
    cpu: Optional[float] = None
    start: Optional[float] = None
    hits: Optional[float] = None

    def stormed(self, storms: Sequence[Storm]) -> None:
        """The median of several; of memory the most."""
        self.reactions = statistics.median(storm.reactions for storm in storms)
        self.cpu = statistics.median(storm.cpu for storm in storms)
        self.storm = max((storm.memory for storm in storms), key=lambda memory: memory.rss)
        self.lost = max(storm.left for storm in storms)

    def p(self, name: str, part: float) -> Optional[float]:
        return percentile(getattr(self, name), part)


def starts(contender: Contender, times: int) -> float:
    """Seconds from the start of the process to ready, the median; the last one goes on."""
    taken = []
    for _ in range(times):
        contender.stop()
        began = time.monotonic()
        contender.start()
        taken.append(time.monotonic() - began)
    return statistics.median(taken)


def idle(
    contender: Contender, ground: Ground, pods: Sequence[Manifest]
) -> Tuple[List[float], List[float]]:
    """Seconds from each alert to the first byte for the API server, where it goes through the tap,
    and to its pod's end. One alert after the other."""
    asked, gone = [], []
    for pod in pods:
        time.sleep(SPACING)
        began = time.monotonic()
        contender.send([alert(pod)])
        gone += [moment - began for moment in ground.gone.wait([pod], PATIENCE)]
        moment = contender.tap.asked_after(began)
        asked += [moment - began] if moment else []
    return asked, gone


def at_rest(contender: Contender) -> Memory:
    time.sleep(REST)
    return memory(contender.pid)


def storm(contender: Contender, ground: Ground, pods: Sequence[Manifest], seconds: float) -> Storm:
    """All at once; over when all are gone, or after so many seconds."""
    alerts = [alert(pod) for pod in pods]
    before = cpu_seconds(contender.pid)
    with Highest(contender.pid) as highest:
        began = time.monotonic()
        contender.send(alerts)
        moments = ground.gone.wait(pods, began + seconds - time.monotonic())
    over = moments[-1] if len(moments) == len(pods) else began + seconds
    count = max(1, len(moments))
    return Storm(
        len(moments) / (over - began),
        len(pods) - len(moments),
        highest.memory,
        (cpu_seconds(contender.pid) - before) / count,
    )
