"""What the worker does in a storm of alerts, and when idle: ``python -m benchmarks.storm``.

Run it on top of the checkout, with the kubeconfig of a cluster that has room for 5,000 pods which
no node runs, and nats-server on the PATH. ``FALCO_TALON=/path/to/falco-talon`` puts Falco Talon
beside it (as root: see talon.py). ``--pods 100 --many 500`` tries it in a minute; all of it takes
about ten. One table of one run on one cluster: quote the ratios, not the figures.

- worker: the delete playbook, its cap on API calls off (MAX_API_QPS=10000), else as it comes.
- no view: the same worker with WATCH=off, which reads each pod before it deletes it.
- two calls, one call: the API server's own limit, a read and a deletion of a pod, and the deletion
  alone, from as many connections, by clients that do nothing else.
- Falco Talon: kubernetes:terminate; no notifiers, no leader election. Its storm is cut off after
  --talon-seconds: it counts what is gone by then.
- naive way: list every pod of the cluster, find the name, delete; at --many pods, as an admin.

How it is measured:

- reactions a second: pods gone, from before the first alert is published to the last pod's end, as
  one watch of the API tells it, the same for everybody. Workers and API server have three storms
  each, in turn, and the median counts: a neighbour on the machine should not decide.
- acted upon from the view: of the pods of the storms, those that took no read.
- CPU of a reaction: user and system time of the whole process, divided by the pods gone.
- skipped a second: from the first publication until JetStream has every alert acknowledged; alerts
  about processes of a host (without a call), and about pods that are gone (one call each).
- idle: one alert at a time, 0.8 s after the last pod was gone, everybody through the same small
  proxy of ours. To the API request: the first byte that comes to the proxy for the API server.
- memory: of the process, from /proc/PID/smaps_rollup, in 1,048,576 bytes; RSS, and PSS, which
  counts shared pages in parts; at rest 3 s after it is ready, under storm the highest of four looks
  a second. Talon has its NATS server inside, the worker beside it: its memory is told below.
- start to ready: from the start of the process until it says that it takes alerts in (/readyz with
  a subscription, /healthz), the median of 5.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import time
from typing import Dict, Iterable, List, Optional, Sequence

os.environ["KUBERNETES_LOAD_KUBE_CONFIG"] = "1"

from benchmarks.storm import bare_api, naive
from benchmarks.storm.arguments import parser_of_storms
from benchmarks.storm.contender import (
    SPACING,
    Contender,
    Figures,
    Storm,
    at_rest,
    idle,
    starts,
    storm,
)
from benchmarks.storm.ground import Ground, alert
from benchmarks.storm.measures import memory
from benchmarks.storm.ours import Ours, host_alerts
from benchmarks.storm.table import All, printed
from benchmarks.storm.talon import Skipped, Talon

# Seconds that anything may take that has an end.
PATIENCE = 120.0

# Alerts before a storm that open connections.
WARM = 16


def main() -> int:
    chosen = arguments()
    asking = ["kubectl", "get", "--raw", "/readyz", "--request-timeout=5s"]
    try:
        subprocess.run(asking, check=True, capture_output=True, text=True, timeout=15)
    except FileNotFoundError:
        return refused("kubectl is not on the PATH")
    except subprocess.TimeoutExpired:
        return refused("the cluster of the kubeconfig does not answer")
    except subprocess.CalledProcessError as error:
        return refused(f"the cluster of the kubeconfig does not answer: {error.stderr.strip()}")
    ground = Ground()
    try:
        ground.begin()
        measure(ground, chosen)
    except KeyboardInterrupt:
        return refused("interrupted, cleaning up")
    finally:
        ground.end()
    return 0


def measure(ground: Ground, chosen: argparse.Namespace) -> None:
    found = All()
    worker, reading = (Ours(ground, chosen.connections, watch=watch) for watch in (True, False))
    try:
        found.ours = figures(worker, ground, chosen)
        worker.stop()
        found.reading = figures(reading, ground, chosen)
        reading.stop()
        say("workers and API server: storms in turn")
        storms: Dict[str, List[Storm]] = {worker.name: [], reading.name: []}
        limits: Dict[int, List[float]] = {1: [], 2: []}
        for _ in range(chosen.rounds):
            for each in (worker, reading):
                each.start()
                each.watches(PATIENCE)
                # Connections and what guards read are there, as of a worker that has run a while.
                storm(each, ground, ground.pods(WARM), PATIENCE)
                storms[each.name].append(storm(each, ground, ground.pods(chosen.pods), PATIENCE))
                if each is worker:
                    found.ours.hits = _hits(worker)
                each.stop()
            for calls, rates in limits.items():
                pods = ground.pods(chosen.pods)
                connections = chosen.connections
                rates.append(bare_api.limit(ground, pods, connections, PATIENCE, calls=calls))
        found.ours.stormed(storms[worker.name])
        found.reading.stormed(storms[reading.name])
        found.bare.reactions, found.once.reactions = map(statistics.median, (limits[2], limits[1]))
        say("worker: skipped")
        worker.start()
        worker.watches(PATIENCE)
        host = host_alerts(chosen.pods * 5)
        found.ours.skipped = worker.skipped(host, PATIENCE)
        gone = [alert(pod) for pod in ground.pods(chosen.pods)]
        ground.clear()
        found.ours.skipped_after_call = worker.skipped(gone, PATIENCE)

        say("API server: idle")
        found.bare.gone = bare_api.idle(ground, ground.pods(chosen.idle), SPACING)
        found.once.gone = bare_api.idle(ground, ground.pods(chosen.idle), SPACING, calls=1)

        say(f"naive way, among {chosen.many} pods")
        crowd = ground.pods(chosen.many)
        found.naive.among_many = naive.reactions(
            ground, crowd[:: max(1, len(crowd) // 10)], PATIENCE
        )
        left = [pod for n, pod in enumerate(crowd) if n % max(1, len(crowd) // 10)]
        _, found.ours.among_many = idle(worker, ground, left[: chosen.idle])
        found.naive.reactions = len(found.naive.among_many) / sum(found.naive.among_many)
        ground.clear()
        beside = memory(ground.nats.process.pid)
        worker.stop()
    finally:
        worker.close()
        reading.close()
    talon, why = talon_figures(ground, chosen)
    found.talon = talon or Figures()
    print(printed(found, chosen.pods, chosen.many))
    for name, rounds in storms.items():
        print(f"{name}, reactions a second of each storm: {_shown(s.reactions for s in rounds)}")
    for calls, rates in limits.items():
        print(f"API server, {calls} a pod, of each storm: {_shown(rates)}")
    print(f"the worker's NATS server: {beside} MB (RSS / PSS)")
    if talon is None:
        print(f"Falco Talon: skipped, {why}")
    for name, each in (("worker", found.ours), ("Falco Talon", found.talon)):
        if each.lost:
            print(f"{name}: {each.lost} of {chosen.pods} pods were left when its storm was cut off")


def _shown(rates: Iterable[float]) -> str:
    return ", ".join(f"{rate:.1f}" for rate in rates)


def _hits(worker: Ours) -> float:
    answers = worker.answers
    return answers["view"] / max(1.0, sum(answers.values()))


def talon_figures(ground: Ground, chosen: argparse.Namespace) -> tuple[Optional[Figures], str]:
    try:
        with contextlib.closing(Talon(ground)) as talon:
            talon.begin()
            found = figures(talon, ground, chosen)
            say(f"{talon.name}: storm")
            pods = ground.pods(chosen.pods)
            found.stormed([storm(talon, ground, pods, chosen.talon_seconds)])
            return found, ""
    except Skipped as why:
        return None, str(why)


def figures(contender: Contender, ground: Ground, chosen: argparse.Namespace) -> Figures:
    """What is measured of both but their storms; the contender goes on."""
    found = Figures()
    say(f"{contender.name}: idle")
    contender.start(tapped=True)
    found.asked, found.gone = idle(contender, ground, ground.pods(chosen.idle))
    say(f"{contender.name}: starts")
    found.start = starts(contender, chosen.starts)
    found.rest = at_rest(contender)
    return found


def arguments(words: Optional[Sequence[str]] = None) -> argparse.Namespace:
    parser = parser_of_storms("benchmarks.storm", __doc__ or "", rounds="storms of the worker")
    parser.add_argument("--many", type=int, default=5000, help="pods for the naive way")
    parser.add_argument("--idle", type=int, default=100, help="alerts one at a time")
    parser.add_argument("--starts", type=int, default=5, help="starts of a process")
    parser.add_argument("--talon-seconds", type=float, default=30.0, help="of its storm")
    return parser.parse_args(words)


def say(what: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {what}", file=sys.stderr)


def refused(why: str) -> int:
    print(f"benchmarks.storm: {why}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
