"""Fakes of the ports. The cluster and the ledger are those of playbooks/infrastructure/memory."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple, Union

from playbooks.core.action import Action
from playbooks.core.alert import Alert
from playbooks.core.cluster.node import Node
from playbooks.core.cluster.pod import Pod
from playbooks.core.errors import Refused
from playbooks.core.evidence.documents import Kept
from playbooks.core.evidence.steps import Log
from playbooks.core.instant import Instant
from playbooks.core.notifications.text_message import TextMessage
from playbooks.core.outcome import Outcome
from playbooks.core.ports import (
    Clock,
    Cluster,
    ClusterCollaborators,
    Evidence,
    Ledger,
    LedgerStore,
    Notifier,
    OwnPod,
    Slack,
    Webhook,
)
from playbooks.core.reaction import Reaction
from playbooks.infrastructure.conditions import cel
from playbooks.infrastructure.ledger import StoredLedger
from playbooks.infrastructure.memory.cluster import MemoryCluster, MemoryLedger
from playbooks.testing.mothers import NOW, a_namespace


class FixedClock(Clock):
    def __init__(self, now: Instant = NOW) -> None:
        self._now = now

    def now(self) -> Instant:
        return self._now


class FakeOwnPod(OwnPod):
    """A pod of the function falco-delete, unless told otherwise."""

    def __init__(
        self,
        namespace: str = "playbooks",
        pod: str = "falco-delete-6d5f-abcde",
        node: str = "node-9",
        in_cluster: bool = True,
    ) -> None:
        self._facts = (namespace, pod, node, in_cluster)

    @property
    def namespace(self) -> str:
        return self._facts[0]

    @property
    def pod(self) -> str:
        return self._facts[1]

    @property
    def node(self) -> str:
        return self._facts[2]

    @property
    def in_cluster(self) -> bool:
        return self._facts[3]


class InMemoryLedger(MemoryLedger):
    """``calls`` says what was asked; ``failures`` makes the next calls raise."""

    def __init__(self, text: str = "") -> None:
        super().__init__(text)
        self.calls: List[str] = []
        self.failures: List[Exception] = []

    def read(self) -> Tuple[str, str]:
        self._called("read")
        return super().read()

    def write(self, text: str, *, version: str) -> str:
        self._called("write")
        return super().write(text, version=version)

    def _called(self, method: str) -> None:
        self.calls.append(method)
        if self.failures:
            raise self.failures.pop(0)


def some_collaborators(
    cluster: Optional[Cluster] = None, *, ledger: Optional[LedgerStore] = None, **changes: Any
) -> ClusterCollaborators:
    """Fakes. ``ledger``: where it is stored; by default that of the cluster."""
    cluster = cluster or InMemoryCluster()
    if ledger is None and isinstance(cluster, InMemoryCluster):
        stored: Ledger = cluster.ledger
    else:
        stored = StoredLedger(ledger or InMemoryLedger())
    fakes = {
        "clock": FixedClock(),
        "own_pod": FakeOwnPod(),
        "cluster": cluster,
        "ledger": stored,
        "conditions": cel.condition,
    }
    return ClusterCollaborators(**{**fakes, **changes})


class FakeEvidence(Evidence):
    """Keeps nothing but a note."""

    URL = "s3://evidence/shop/web-0/set"

    def __init__(self, *, missing: Sequence[str] = (), error: Optional[Exception] = None) -> None:
        self.kept: List[Tuple[Pod, Alert]] = []
        self._missing, self._error = tuple(missing), error

    def keep(self, pod: Pod, alert: Alert) -> Kept:
        if self._error:
            raise self._error
        self.kept.append((pod, alert))
        return Kept(self.URL, self._missing)


class RecordingSlack(Slack):
    def __init__(self) -> None:
        self.messages: List[Mapping[str, Any]] = []

    def post(self, message: Mapping[str, Any]) -> None:
        self.messages.append(message)


class RecordingNotifier(Notifier):
    def __init__(self) -> None:
        self.messages: List[TextMessage] = []

    def send(self, message: TextMessage) -> None:
        self.messages.append(message)


class RecordingWebhook(Webhook):
    def __init__(self) -> None:
        self.events: List[Mapping[str, Any]] = []

    def send(self, event: Mapping[str, Any]) -> None:
        self.events.append(event)


class FakeReaction(Reaction):
    """Answers with each of the given outcomes or errors in turn, the last one for ever."""

    def __init__(self, *answers: Union[Action, Outcome, Exception]) -> None:
        self._answers = list(answers)
        self.alerts: List[Alert] = []

    def plan(self, alert: Alert) -> Union[Action, Outcome]:
        self.alerts.append(alert)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class InMemoryCluster(MemoryCluster):
    """The shipped one, watched: ``calls`` has the name of each method that was called, and
    ``failures`` makes a method raise once each. Its namespaces come with their pods.

    ``ledger``: that of a playbook which acts on it, kept in ``store``. ``logs``: by the name of the
    container, and whether it is that of the run before. ``outputs``: by the container and the
    words of a command.
    """

    def __init__(self, *objects: Any) -> None:
        super().__init__(FixedClock())
        self.store = InMemoryLedger()
        self.ledger = StoredLedger(self.store)
        self.logs: Dict[Tuple[str, bool], bytes] = {}
        self.outputs: Dict[Tuple[str, ...], bytes] = {}
        self.calls: List[str] = []
        self.failures: Dict[str, List[Exception]] = {}
        self.graces: List[int] = []
        for thing in objects:
            self.put(thing)

    def put(self, thing: Any, kind: str = "NetworkPolicy") -> Mapping[str, Any]:
        """A pod, a node, or a manifest, of a policy unless it says its ``kind``."""
        if isinstance(thing, Pod) and thing.namespace not in self._names("Namespace"):
            self.put(a_namespace(thing.namespace))
        if isinstance(thing, (Pod, Node)):
            return super().put(thing.manifest, type(thing).__name__)
        return super().put(thing, "" if thing.get("kind") else kind)

    def remove(self, kind: str, name: str, namespace: str = "shop") -> None:
        del self._stored[namespace, kind][name]

    @property
    def writes(self) -> List[str]:
        return [call for call in self.calls if call in _WRITES]

    @property
    def pods(self) -> Mapping[Tuple[str, str], Pod]:
        pods = map(Pod, self.objects("Pod"))
        return MappingProxyType({(pod.namespace, pod.name): pod for pod in pods})

    @property
    def known_nodes(self) -> Mapping[str, Node]:
        return MappingProxyType({node.name: node for node in map(Node, self.objects("Node"))})

    @property
    def policies(self) -> Mapping[str, Mapping[str, Any]]:
        found = self.objects("NetworkPolicy")
        return MappingProxyType({policy["metadata"]["name"]: policy for policy in found})

    def log(
        self, pod: Pod, container: str, *, previous: bool, most_bytes: int, seconds: float
    ) -> Log:
        nothing = super().log(
            pod, container, previous=previous, most_bytes=most_bytes, seconds=seconds
        )
        if not pod.node:
            return nothing
        if (container, previous) not in self.logs:
            raise Refused(f"container {container} of {pod} has no such log")
        return Log.end_of([self.logs[container, previous]], most=most_bytes)

    def output_of(
        self, pod: Pod, container: str, command: Sequence[str], *, most_bytes: int, seconds: float
    ) -> Log:
        super().output_of(pod, container, command, most_bytes=most_bytes, seconds=seconds)
        written = self.outputs.get((container, *command))
        if written is None:
            raise Refused(f"{command[0]} ended with exit code 1: no such file")
        cut = f"only the first {most_bytes} bytes were read" if len(written) > most_bytes else ""
        return Log(written[:most_bytes], cut)

    def delete_pod(self, pod: Pod, *, grace_period_seconds: int) -> None:
        super().delete_pod(pod, grace_period_seconds=grace_period_seconds)
        self.graces.append(grace_period_seconds)

    def _names(self, kind: str) -> List[str]:
        return [found["metadata"]["name"] for found in self.objects(kind)]


_WRITES = (
    *("delete_pod", "evict_pod", "patch_pod", "patch_node", "create_network_policy"),
    *("scale", "replace_network_policy", "delete_network_policy", "delete_object"),
    *("create_object", "patch_object"),
)


def _watched(name: str) -> Callable[..., Any]:
    method = getattr(InMemoryCluster, name)

    def call(self: InMemoryCluster, *given: Any, **named: Any) -> Any:
        self.calls.append(name)
        if self.failures.get(name):
            raise self.failures[name].pop(0)
        return method(self, *given, **named)

    return call


for name in Cluster.__abstractmethods__:
    setattr(InMemoryCluster, name, _watched(name))
