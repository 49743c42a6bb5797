"""Figures: percentiles, and what a process takes of the machine, as Linux counts it."""

from __future__ import annotations

import math
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional, Sequence

# Seconds between two looks at a process under storm.
LOOK = 0.25


def percentile(values: Sequence[float], part: float) -> Optional[float]:
    """The value that ``part`` of them do not exceed; None of none."""
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(part * len(values)) - 1)]


@dataclass(frozen=True)
class Memory:
    """Megabytes. ``pss``: with its share only of what it has in common with other processes."""

    rss: float
    pss: float

    def __str__(self) -> str:
        return f"{self.rss:.0f} / {self.pss:.0f}"


def memory(pid: int) -> Memory:
    found: Dict[str, float] = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, kilobytes = line.split()[:2]
        found[name] = int(kilobytes) / 1024
    return Memory(found["Rss:"], found["Pss:"])


def cpu_seconds(pid: int) -> float:
    """Of all its threads, in user and kernel mode, since it started."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Highest:
    """The most memory that a process had while entered, by looking four times a second."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._seen: List[Memory] = []
        self._over = threading.Event()
        self._looking = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Highest:
        self._looking.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._looking.join()

    @property
    def memory(self) -> Memory:
        return max(self._seen, key=lambda seen: seen.rss)

    def _look(self) -> None:
        self._seen.append(memory(self._pid))
        while not self._over.wait(LOOK):
            self._seen.append(memory(self._pid))
