"""What the guards cost: ``python -m benchmarks.storm.guards``, with a cluster as for the storm.

- The worker: reactions a second in storms of --pods alerts, with its guards off as far as they can
  be and with all of them, in turn; the medians count. Off or on, it is never without the guards
  against loops, the exemptions (its namespace, read every 10 s) and the pause (the ledger, read
  every 2 s). On, every action is written into the ledger before it is done. The pods belong to
  Jobs, which the guards read as well.
- one call: the API server's own limit of the deletion alone, as in the storm.
- idle: one alert at a time through the proxy of the storm, --idle of them, to the first request for
  the API server, which with guards on is the ledger's, and to the pod's end; and among --many pods.
- Kubeless' way, which remembers nothing from one alert to the next: the API calls of an action with
  no guard at all, and with all of them; and those for alerts that are ruled out by themselves.

``--pods 200 --rounds 1 --idle 5 --many 100`` tries it in a minute.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections import Counter
from contextlib import contextmanager
from typing import Callable, Dict, Iterator, List, Mapping, Sequence, Tuple

os.environ["KUBERNETES_LOAD_KUBE_CONFIG"] = "1"

from benchmarks.storm import bare_api
from benchmarks.storm.arguments import parser_of_storms
from benchmarks.storm.contender import Storm, idle, storm
from benchmarks.storm.ground import Ground, Manifest, alert, until
from benchmarks.storm.measures import percentile
from benchmarks.storm.ours import Ours
from playbooks.core.alert import Alert
from playbooks.core.ledger.limits import ledger_name
from playbooks.core.outcome import Outcome
from playbooks.core.playbook import Playbook
from playbooks.core.ports import ClusterCollaborators
from playbooks.core.settings import read
from playbooks.deployment.request import by_name
from playbooks.infrastructure.kubernetes.api import KubernetesApi
from playbooks.infrastructure.kubernetes.cluster import KubernetesCluster
from playbooks.infrastructure.kubernetes.ledger import ConfigMapLedger
from playbooks.infrastructure.kubernetes.view.watched import WatchedCluster
from playbooks.infrastructure.ledger import StoredLedger
from playbooks.infrastructure.this_pod import SystemClock, ThisPod
from specs.support.cluster.real_cluster import CountingApi
from specs.support.worker.worker_on_cluster import FUNCTION, NO_CAPS

PATIENCE = 60.0

# Workloads that the pods of a storm belong to, and alerts before it that open connections.
WORKLOADS, WARM = 10, 16

# Seconds from each alert to the first request and to its pod's end.
Idle = Tuple[Sequence[float], Sequence[float]]

OFF = {
    **NO_CAPS,
    "MAX_NODES": "off",
    "MAX_ALERT_AGE": "off",
    "PROTECTED_NAMESPACES": "",
    "ALLOW_OWNERS": "DaemonSet,Node",
}
ON = {
    "MAX_ACTIONS": "5000",
    "MAX_ACTIONS_ALL": "5000",
    "MAX_PER_OWNER": "100%",
    "MINIMUM_PRIORITY": "Notice",
    "RULES": "Terminal*",
    "NAMESPACES": "*",
    "EXEMPT_PODS": "true",
}

GUARDS = {"off": OFF, "on": ON}

RULED_OUT = {
    "protected namespace": {"PROTECTED_NAMESPACES": "*"},
    "below MINIMUM_PRIORITY": {"MINIMUM_PRIORITY": "Critical"},
    "rule not listed": {"RULES": "Another rule"},
    "namespace not listed": {"NAMESPACES": "another"},
}


def main() -> int:
    chosen = arguments()
    ground = Ground()
    try:
        ground.begin()
        jobs = owners(ground, chosen.pods)
        storms_in_turn(ground, jobs, chosen)
        idle_in_turn(ground, jobs, chosen)
        calls_of_an_action(ground, jobs)
        calls_of_a_worker(ground, jobs)
    finally:
        ground.end()
    return 0


def storms_in_turn(ground: Ground, jobs: List[Manifest], chosen: argparse.Namespace) -> None:
    found: Dict[str, List[Storm]] = {"off": [], "on": []}
    once: List[float] = []
    for number in range(chosen.rounds):
        for name, settings in GUARDS.items():
            print(f"[{time.strftime('%H:%M:%S')}] guards {name}, {number + 1}", file=sys.stderr)
            found[name].append(one_storm(ground, chosen, settings, jobs))
        pods = ground.pods(chosen.pods, jobs)
        once.append(bare_api.limit(ground, pods, chosen.connections, PATIENCE, calls=1))
    print(f"{'worker':52}{'guards off':>12}{'guards on':>12}{'ratio':>8}")
    show(f"reactions a second, {chosen.pods} alerts at once", found, lambda s: s.reactions, 1)
    show("CPU of a reaction, ms", found, lambda s: s.cpu * 1000, 2)
    limit = statistics.median(once)
    for name, storms in found.items():
        part = statistics.median(storm.reactions for storm in storms) / limit
        print(f"guards {name}: x {part:.2f} of the limit of one call, {limit:.1f} a second")
    for name, storms in found.items():
        each = ", ".join(f"{s.reactions:.1f}" for s in storms)
        print(f"guards {name}, reactions a second of each storm: {each}")
        if any(s.left for s in storms):
            print(f"guards {name}: pods were left of a storm")


def one_storm(
    ground: Ground, chosen: argparse.Namespace, settings: Mapping[str, str], jobs: List[Manifest]
) -> Storm:
    with running(ground, chosen, settings, jobs) as worker:
        return storm(worker, ground, ground.pods(chosen.pods, jobs), PATIENCE)


@contextmanager
def running(
    ground: Ground,
    chosen: argparse.Namespace,
    settings: Mapping[str, str],
    jobs: List[Manifest],
    *,
    tapped: bool = False,
) -> Iterator[Ours]:
    """A worker that has run a while, with nothing in its ledger before."""
    name = ledger_name(FUNCTION)
    store = ConfigMapLedger(KubernetesApi(), namespace=ground.namespace, name=name)
    store.write("", version=store.read()[1])
    worker = Ours(ground, chosen.connections, settings)
    try:
        worker.start(tapped=tapped)
        worker.watches(PATIENCE)
        if storm(worker, ground, ground.pods(WARM, jobs), PATIENCE).left:
            raise RuntimeError("the worker does not delete what it is to delete")
        yield worker
    finally:
        worker.stop()
        worker.close()


def idle_in_turn(ground: Ground, jobs: List[Manifest], chosen: argparse.Namespace) -> None:
    for words, crowd in (("idle", 0), (f"among {chosen.many} pods", chosen.many)):
        ground.pods(crowd)
        found: Dict[str, Idle] = {}
        for name, settings in GUARDS.items():
            print(f"[{time.strftime('%H:%M:%S')}] guards {name}, {words}", file=sys.stderr)
            with running(ground, chosen, settings, jobs, tapped=True) as worker:
                found[name] = idle(worker, ground, ground.pods(chosen.idle, jobs))
        for number, end in enumerate(("API request", "pod gone")):
            for part in (0.5, 0.99):
                off, on = (percentile(found[name][number], part) or 0.0 for name in GUARDS)
                said = f"{words}, alert to {end}, p{part * 100:.0f}, ms"
                print(f"{said:52}{off * 1000:>12.1f}{on * 1000:>12.1f}{f'x {on / off:.2f}':>8}")
    ground.clear()


def owners(ground: Ground, replicas: int) -> List[Manifest]:
    """Jobs that leave their pods alone: they are said to be somebody else's to manage."""
    path = ("apis", "batch", "v1", "namespaces", ground.namespace, "jobs")
    container = {"name": "main", "image": "none"}
    return [
        KubernetesApi().post(
            *path,
            body={
                "apiVersion": "batch/v1",
                "kind": "Job",
                "metadata": {"name": f"job-{number}"},
                "spec": {
                    "managedBy": "falco-playbooks.benchmark/nobody",
                    "parallelism": replicas,
                    "template": {"spec": {"restartPolicy": "Never", "containers": [container]}},
                },
            },
        )
        for number in range(WORKLOADS)
    ]


def show(
    words: str, found: Mapping[str, List[Storm]], figure: Callable[[Storm], float], digits: int
) -> None:
    off, on = (statistics.median(map(figure, found[name])) for name in ("off", "on"))
    print(f"{words:52}{off:>12.{digits}f}{on:>12.{digits}f}{f'x {on / off:.2f}':>8}")


def calls_of_an_action(ground: Ground, jobs: List[Manifest]) -> None:
    print(f"\n{'a process an alert: API calls':52}{'reads':>12}{'writes':>12}")
    for name in ("delete", "isolate"):
        playbook = by_name.load(name)
        bare, guarded = (
            counted(ground, playbook, ground.pods(1, jobs)[0], {}, bare=bare)
            for bare in (True, False)
        )
        for words, (calls, outcome) in (("no guard", bare), ("all guards", guarded)):
            row(f"{name}, {words} ({outcome.reason})", calls)
        row(f"{name}, more", guarded[0] - bare[0])
    for words, settings in RULED_OUT.items():
        pod = ground.pods(1, jobs)[0]
        calls, outcome = counted(ground, by_name.load("delete"), pod, settings, bare=False)
        row(f"{words} ({outcome.reason})", calls)


def calls_of_a_worker(ground: Ground, jobs: List[Manifest]) -> None:
    """Of an action in a worker that has run a while: the second half of ten."""
    print(f"\n{'a worker: API calls of an action, all guards on':52}{'reads':>12}{'writes':>12}")
    for name in ("delete", "isolate"):
        for words, watch in (("with its view", True), ("without it", False)):
            api = CountingApi()
            watched = WatchedCluster(api, namespaces=(ground.namespace,))
            if watch:
                watched.start()
            function = f"falco-{name}-worker"
            ConfigMapLedger(KubernetesApi(), namespace=ground.namespace, name=function).read()
            stored = ConfigMapLedger(api, namespace=ground.namespace, name=function)
            responder = by_name.load(name).responder(
                {**ON, "NAMESPACES": ground.namespace},
                ClusterCollaborators(SystemClock(), ThisPod(), watched, StoredLedger(stored)),
            )
            pods = ground.pods(10, jobs)
            until(lambda watched=watched: watched.live, PATIENCE if watch else 0.0)
            time.sleep(0.5)
            for pod in pods[:5]:
                responder.answer(alert(pod))
            time.sleep(0.5)
            api.calls.clear()
            outcomes = [responder.answer(alert(pod)).reason for pod in pods[5:]]
            watched.stop()
            calls = Counter("reads" if call == "GET" else "writes" for call in api.calls)
            shown = {key: count / 5 for key, count in calls.items()}
            row(f"{name}, {words} ({', '.join(sorted(set(outcomes)))})", shown)


def counted(
    ground: Ground, playbook: Playbook, pod: Manifest, settings: Mapping[str, str], *, bare: bool
) -> tuple[Counter[str], Outcome]:
    """One alert, by who knows nothing from before."""
    api = CountingApi()
    name = f"falco-{playbook.name}-once"
    # Deploying makes it, and that is no call of an alert.
    ConfigMapLedger(KubernetesApi(), namespace=ground.namespace, name=name).read()
    kept = StoredLedger(ConfigMapLedger(api, namespace=ground.namespace, name=name))
    collaborators = ClusterCollaborators(SystemClock(), ThisPod(), KubernetesCluster(api), kept)
    if bare:
        reaction = playbook.build(read(playbook.settings, settings), collaborators)
        outcome = reaction.run(Alert.parse(alert(pod)))
    else:
        outcome = playbook.responder(settings, collaborators).answer(alert(pod))
    return Counter("reads" if call == "GET" else "writes" for call in api.calls), outcome


def row(words: str, calls: Mapping[str, float]) -> None:
    print(f"{words:52}{calls.get('reads', 0):>12g}{calls.get('writes', 0):>12g}")


def arguments() -> argparse.Namespace:
    parser = parser_of_storms(
        "benchmarks.storm.guards", __doc__ or "", rounds="storms with guards, and without"
    )
    parser.add_argument("--idle", type=int, default=50, help="alerts one at a time")
    parser.add_argument("--many", type=int, default=5000, help="pods that are there beside")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
