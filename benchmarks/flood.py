"""How long a flood of alerts about one pod delays another namespace's: ``python benchmarks/flood.py
[ALERTS...]``, by default 1500, 5000 and 30000.

A real nats-server, and a worker of the playbook delete that may ask its cluster in memory 50 times
a second. For each size: seconds from the moment when all alerts were published until the pod of the
other namespace is deleted, what as many decisions would take one after the other, and the CPU time
of the worker for each alert. Quote the ratio: the seconds are those of the machine, which must have
nothing else to do.

On two cores that were not idle: 5000 alerts 0.2 s, 30000 1.4 s. What limits is the
CPU time of one process: messages come in order, and each is parsed before the next.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from specs.engines.worker.flood import Flood, about
from specs.support.processes import eventually

SIZES = (1500, 5000, 30000)

WARM = 50


def main(sizes: tuple[int, ...]) -> None:
    print(f"{'alerts':>8} {'delay, s':>9} {'one by one, s':>14} {'CPU an alert, us':>17}")
    for size in sizes:
        delay, cpu = measured(size)
        print(f"{size:8} {delay:9.2f} {size / 50:14.0f} {cpu / size * 1e6:17.0f}", flush=True)


def measured(size: int) -> tuple[float, float]:
    """The seconds of delay, and of CPU time for all."""
    flood = Flood(MAX_PER_OWNER="off")
    try:
        flood.publish(*[about("shop", "loud", number) for number in range(WARM)])
        eventually(flood.nats.settled, 60)
        before = cpu_time(flood.worker.process.pid)
        flood.publish(*[about("shop", "loud", number) for number in range(size)])
        published = time.time()
        flood.publish(about("bank", "quiet"))
        eventually(lambda: "quiet" in flood.actions(), 300)
        eventually(flood.nats.settled, 300)
        spent = cpu_time(flood.worker.process.pid) - before
        return float(flood.actions()["quiet"]) - published, spent
    finally:
        flood.remove()


def cpu_time(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main(tuple(map(int, sys.argv[1:])) or SIZES)
