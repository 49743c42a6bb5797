"""What the view of the pods costs: ``python -m benchmarks.storm.view``, with a cluster as for the
storm, whose API server runs on this machine.

A cluster that is simulated: pods that no node runs, of 4 KB each, with an owner, four labels and a
container whose id the API knows. At each of --pods of them:

- list: from the worker's being ready until it has its view.
- memory: PSS of the worker, 3 s later; with WATCH=off it is that of the first row without a view.
- a pod: by the worker's own metric, and what the worker's PSS grew by since the first row.
- idle: an alert at a time, from the alert to the pod's end; --idle of them.
- API server: its processor for --seconds of --changes changes of pods a second, with the worker
  watching, less the same without a worker.

``--pods 0 300 --idle 5 --seconds 3`` tries it in a minute.
"""

from __future__ import annotations

import argparse
import itertools
import os
import secrets
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import List, Optional

os.environ["KUBERNETES_LOAD_KUBE_CONFIG"] = "1"

from benchmarks.storm.arguments import parser
from benchmarks.storm.contender import idle
from benchmarks.storm.ground import MAKERS, Ground, Manifest
from benchmarks.storm.measures import cpu_seconds, memory, percentile
from benchmarks.storm.ours import Ours
from playbooks.infrastructure.kubernetes.api import KubernetesApi
from specs.support.cluster import real_cluster as cluster

REST, PATIENCE = 3.0, 300.0

ROW = "{:>8}{:>8}" + "{:>11}" * 8


def main() -> int:
    chosen = arguments()
    ground = Ground()
    try:
        ground.begin()
        crowd = Crowd(ground)
        head = ("pods", "view", "list, s", "PSS, MB", "metric B", "PSS B", "p50, ms", "p99, ms")
        print(ROW.format(*head, "API CPU", "worker CPU"))
        empty: Optional[float] = None
        for watch in (False, True):
            for count in chosen.pods if watch else chosen.pods[:1]:
                crowd.grow(count)
                empty = measured(ground, crowd, chosen, watch=watch, empty=empty)
        print("CPU: seconds for", f"{chosen.seconds:.0f} s of {chosen.changes} changes a second")
    finally:
        ground.end()
    return 0


class Crowd:
    """The pods of the cluster that is simulated."""

    def __init__(self, ground: Ground) -> None:
        self._api = KubernetesApi()
        self._path = ("api", "v1", "namespaces", ground.namespace, "pods")
        self._namespace = ground.namespace
        self.pods: List[Manifest] = []
        self._numbers = itertools.count()

    def grow(self, count: int) -> None:
        say(f"{count} pods")
        # No name twice: some pods are gone.
        numbers = itertools.islice(self._numbers, max(0, count - len(self.pods)))
        with ThreadPoolExecutor(MAKERS) as pool:
            self.pods += pool.map(self._pod, numbers)

    def _pod(self, number: int) -> Manifest:
        labels = {"app": f"app-{number % 40}", "tier": "web", "team": "shop", "version": "v1.2.3"}
        variables = [{"name": f"VARIABLE_{n}", "value": "x" * 60} for n in range(15)]
        made = cluster.a_pod_manifest(
            f"app-{number % 40}-7d9c5b8f6-{number:05d}",
            self._namespace,
            gated=True,
            labels=labels,
            container={"env": variables},
        )
        # Of a kind that nothing collects.
        owner = {"apiVersion": "benchmark/v1", "kind": "Owner", "name": "app", "uid": "u"}
        made["metadata"]["ownerReferences"] = [{**owner, "controller": True}]
        pod = self._api.post(*self._path, body=made)
        status = {
            "name": "main",
            "image": cluster.IMAGE,
            "imageID": "",
            "containerID": f"containerd://{secrets.token_hex(32)}",
            "ready": True,
            "restartCount": 0,
            "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
        }
        body = {"status": {"containerStatuses": [status]}}
        return self._api.patch(*self._path, pod["metadata"]["name"], "status", body=body)

    def change(self, seconds: float, rate: int) -> None:
        """Labels of theirs, so many times a second."""
        began = time.monotonic()
        for number in range(int(seconds * rate)):
            time.sleep(max(0.0, began + number / rate - time.monotonic()))
            name = self.pods[number % len(self.pods)]["metadata"]["name"]
            labels = {"metadata": {"labels": {"change": f"c{number}"}}}
            self._api.patch(*self._path, name, body=labels)


def measured(
    ground: Ground,
    crowd: Crowd,
    chosen: argparse.Namespace,
    *,
    watch: bool,
    empty: Optional[float],
) -> Optional[float]:
    """Prints a row; the memory with a view of no pod, once it is known."""
    server, count = api_server(ground.api_server[1]), len(crowd.pods)
    alone = cost(crowd, chosen, server)[0]
    worker = Ours(ground, chosen.connections, watch=watch)
    try:
        worker.start()
        listed = worker.watches(PATIENCE)
        time.sleep(REST)
        taken, (_, size) = memory(worker.pid).pss, worker.remembered
        if watch and empty is None:
            empty = taken
        watching, own = cost(crowd, chosen, server, worker.pid)
        few, crowd.pods = crowd.pods[: chosen.idle], crowd.pods[chosen.idle :]
        gone = idle(worker, ground, few)[1] if few else []
    finally:
        worker.stop()
        worker.close()
    grown = (taken - empty) * 2**20 / count if empty is not None and count else None
    print(
        ROW.format(
            count,
            "on" if watch else "off",
            f"{listed:.2f}" if watch else "-",
            f"{taken:.1f}",
            f"{size / count:.0f}" if size and count else "-",
            f"{grown:.0f}" if grown is not None else "-",
            *(shown(percentile(gone, part), 1000) for part in (0.5, 0.99)),
            shown(watching - alone if watching is not None and alone is not None else None, 1, 2),
            shown(own, 1, 2),
        ),
        flush=True,
    )
    return empty


def cost(
    crowd: Crowd, chosen: argparse.Namespace, server: Optional[int], worker: Optional[int] = None
) -> tuple[Optional[float], Optional[float]]:
    """Seconds of the API server's processor, and of the worker's."""
    if not crowd.pods:
        return None, None
    processes = (server, worker)
    before = [cpu_seconds(pid) if pid else 0.0 for pid in processes]
    crowd.change(chosen.seconds, chosen.changes)
    time.sleep(0.5)
    spent = [cpu_seconds(pid) - was if pid else None for pid, was in zip(processes, before)]
    return spent[0], spent[1]


def api_server(port: int) -> Optional[int]:
    """The process of this machine that serves at a port; None where it is elsewhere."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_text().split("\0")
        except OSError:
            continue
        if words[0].endswith("kube-apiserver") and f"--secure-port={port}" in words:
            return int(path.name)
    return None


def shown(value: Optional[float], scale: float, digits: int = 1) -> str:
    return "-" if value is None else f"{value * scale:.{digits}f}"


def say(what: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {what}", file=sys.stderr)


def arguments() -> argparse.Namespace:
    found = parser("benchmarks.storm.view", __doc__ or "")
    found.add_argument("--pods", type=int, nargs="+", default=[0, 5000, 20000])
    found.add_argument("--idle", type=int, default=100, help="alerts one at a time, at each")
    found.add_argument("--seconds", type=float, default=20.0, help="of changes")
    found.add_argument("--changes", type=int, default=50, help="a second")
    return found.parse_args()


if __name__ == "__main__":
    sys.exit(main())
