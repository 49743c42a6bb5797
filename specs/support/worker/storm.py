"""Many alerts at once about as many pods, among decoys: who was meant, and what became of whom."""

from __future__ import annotations

import json
import os
import secrets
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Dict, List, Set, Tuple

from expects import be_above, be_empty, expect

from playbooks.infrastructure.kubernetes.api import KubernetesApi
from specs.support.cluster import real_cluster as cluster
from specs.support.processes import eventually
from specs.support.worker.worker_on_cluster import NO_CAPS, OnCluster, Served

Manifest = Dict[str, Any]

# The full proof is one with STORM_PODS=1000 STORM_API_AWAY=60.
PODS = int(os.environ.get("STORM_PODS", "300"))
API_AWAY = float(os.environ.get("STORM_API_AWAY", "15"))

TOPIC = "falco.notice.*"
SUBJECT = "falco.notice.terminal_shell_in_container"

CREATORS = 8

# Seconds until a storm that makes no end is a failure.
PATIENCE = 180.0


class Storm(Served):
    """Pods that no node has, so that the API alone decides what becomes of them.

    Every second one is named by its uid, the others by the id of their container. Ten for each
    decoy, which is a pod with the name of one of them in another namespace, where the workers may
    delete pods as well; and there is one alert for each decoy that names it, with the id of its
    namesake.
    """

    def __init__(self, pods: int = PODS, **where: str) -> None:
        super().__init__(TOPIC, also=1, **where)
        self.count = pods
        self.named: Dict[str, Manifest] = {}
        self.misled: Dict[str, Manifest] = {}
        self.decoys: List[Manifest] = []
        self._messages: List[Tuple[str, bytes]] = []

    def begin(self) -> None:
        super().begin()
        namespace, elsewhere = self.namespaces
        few = self.count // 10
        made = _pods(
            [(n, namespace) for n in range(self.count)] + [(n, elsewhere) for n in range(few)]
        )
        pods, self.decoys = made[: self.count], made[self.count :]
        for pod in pods:
            self._alert(self.named, pod, pod)
        for pod, decoy in zip(pods, self.decoys):
            self._alert(self.misled, pod, decoy)
        # Those that mislead come among the others.
        secrets.SystemRandom().shuffle(self._messages)

    def start(self, **settings: str) -> OnCluster:
        return super().start(**NO_CAPS, **settings)

    def publish(self) -> None:
        """All of it; returns when the server has stored it."""
        self.nats.publish(*self._messages)
        eventually(lambda: self.stored == len(self._messages), 20)
        self._published = time.monotonic()

    @property
    def stored(self) -> int:
        return int(self.nats.call("STREAM.INFO.FALCO")["state"]["messages"])

    def reaches(self, part: float) -> None:
        """Wait until so much of it has been answered."""
        wanted = part * len(self._messages)
        eventually(lambda: len({_uuid(line) for line in self.outcomes}) >= wanted, 120)

    def blows_over(self, what: str) -> None:
        """Wait until every alert has come to its end, at the latest when that takes too long."""
        try:
            eventually(lambda: not self.unanswered() and not self.left(), PATIENCE, every=0.5)
        except AssertionError:
            workers = "\n".join(worker.log[-3000:] for worker in self.workers)
            gone = [line for w in self.workers for line in w.log.splitlines() if "given up" in line]
            raise AssertionError(
                f"{what}: {len(self.left())} pods are left, {len(self.unanswered())} alerts have"
                f" neither an outcome nor a dead letter; {len(self.dead())} dead letters, such as"
                f" {gone[:2]}\n{workers}"
            ) from None
        if "STORM_PODS" in os.environ:
            took = time.monotonic() - self._published
            acted = sum(line["status"] == "acted" for line in self.outcomes)
            print(
                f"{what}: {len(self.named)} pods gone among {len(self.decoys)} decoys in"
                f" {took:.1f} s; {acted} outcomes acted,"
                f" {len(self.delivered_again())} of a later delivery",
                file=sys.stderr,
            )

    def watched(self, worker: OnCluster) -> None:
        """The worker has its view of the pods, and has acted from it."""
        live, answers = "playbook_view_live", "playbook_view_answers_total"
        eventually(lambda: worker.metric(f'{live}{{playbook="delete"}}') == 1, 30)
        expect(worker.metric(f'{answers}{{answer="view",playbook="delete"}}')).to(be_above(0))

    # What became of it

    def left(self) -> List[str]:
        """The pods that were to be deleted, and are still there: all but those of a worker."""
        others = ("-l", "!function", "-o", "name")
        return cluster.kubectl("get", "pods", "-n", self.namespace, *others).split()

    def settled(self) -> int:
        """How many are left once the API server has done what it was asked before it was cut."""
        counts = [len(self.left())]

        def same() -> bool:
            time.sleep(1.5)
            counts.append(len(self.left()))
            return counts[-1] == counts[-2]

        eventually(same, 30)
        return counts[-1]

    def touched(self) -> List[str]:
        """The decoys that are not as they were made."""
        elsewhere = self.namespaces[1]
        found = cluster.kubectl_json("get", "pods", "-n", elsewhere)["items"]
        now = {pod["metadata"]["name"]: pod["metadata"] for pod in found}
        made = [decoy["metadata"] for decoy in self.decoys]
        return [
            metadata["name"]
            for metadata in made
            if now.get(metadata["name"], {}).get("uid") != metadata["uid"]
            or "deletionTimestamp" in now[metadata["name"]]
        ]

    def dead(self) -> Set[str]:
        return {json.loads(letter["body"])["uuid"] for letter in self.nats.messages("FALCO_DEAD")}

    def unanswered(self) -> Set[str]:
        """The alerts that have neither an outcome that is their last, nor a dead letter."""
        ended = {_uuid(line) for line in self.outcomes if _is_last(line)}
        return {*self.named, *self.misled} - ended - self.dead()

    def wrong(self) -> List[Dict[str, Any]]:
        """Outcomes that are not what their alert should have: another pod, or another reason."""
        return [line for line in self.outcomes if not self._is_right(line)]

    def acted(self, *workers: OnCluster) -> List[str]:
        """The alerts that were acted upon, as often as they were, by all or by these."""
        lines = [line for worker in workers or self.workers for line in worker.outcomes]
        return [_uuid(line) for line in lines if line["status"] == "acted"]

    def delivered_again(self) -> List[Dict[str, Any]]:
        """Outcomes of alerts that had been delivered before."""
        return [line for line in self.outcomes if line["details"].get("delivery", 1) > 1]

    def _is_right(self, line: Dict[str, Any]) -> bool:
        if _uuid(line) in self.misled:
            return (line["status"], line["reason"]) == ("skipped", "not-the-same-pod")
        if line["status"] == "acted":
            return bool(line["details"]["uid"] == self.named[_uuid(line)]["metadata"]["uid"])
        # Deleted before, by who was killed or cut off before it could say so; or to be tried again.
        return line["reason"] in ("pod-gone", "terminating") or "again_in" in line["details"]

    def _alert(self, among: Dict[str, Manifest], pod: Manifest, named: Manifest) -> None:
        """An alert with the id of one pod, and the names of another or the same."""
        number = str(uuid.uuid4())
        names = {
            "k8s.ns.name": named["metadata"]["namespace"],
            "k8s.pod.name": named["metadata"]["name"],
        }
        alert = cluster.alert_about(pod, fields=names, uuid=number)
        among[number] = named
        self._messages.append((SUBJECT, json.dumps(alert).encode()))


def expect_all_well(storm: Storm) -> None:
    """Every pod that was named is gone, and nothing else; and no alert was lost on the way."""
    expect(storm.left()).to(be_empty)
    expect(storm.touched()).to(be_empty)
    expect(storm.unanswered()).to(be_empty)
    expect(storm.dead()).to(be_empty)
    expect(storm.wrong()).to(be_empty)


def _pods(wanted: List[Tuple[int, str]]) -> List[Manifest]:
    """Pods of these numbers and namespaces; those of odd numbers have a container with an id."""
    api = KubernetesApi()

    def make(number: int, namespace: str) -> Manifest:
        path = ("api", "v1", "namespaces", namespace, "pods")
        name = f"web-{number}"
        pod = api.post(*path, body=cluster.a_pod_manifest(name, namespace, gated=True))
        if number % 2 == 0:
            return pod
        started = {
            "name": "main",
            "image": cluster.IMAGE,
            "imageID": "",
            "containerID": f"containerd://{secrets.token_hex(32)}",
            "ready": False,
            "restartCount": 0,
            "state": {"waiting": {"reason": "ContainerCreating"}},
        }
        return api.patch(*path, name, "status", body={"status": {"containerStatuses": [started]}})

    return _in_parallel(make, wanted)


def _in_parallel(call: Callable[..., Any], given: List[Tuple[Any, ...]]) -> List[Any]:
    with ThreadPoolExecutor(CREATORS) as pool:
        return list(pool.map(lambda words: call(*words), given))


def _uuid(line: Dict[str, Any]) -> str:
    return str(line["alert"]["uuid"])


def _is_last(line: Dict[str, Any]) -> bool:
    return line["status"] in ("acted", "skipped") and "again_in" not in line["details"]
