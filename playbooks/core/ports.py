"""What reactions ask of their collaborators. ``playbooks.infrastructure`` implements it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import (
    Any,
    Callable,
    FrozenSet,
    Hashable,
    Iterable,
    Iterator,
    List,
    Mapping,
    Optional,
    Sequence,
    Set,
    Tuple,
    TypeVar,
    cast,
)

from playbooks.core.action import Answer
from playbooks.core.alert import Alert
from playbooks.core.claim import Claim
from playbooks.core.cluster.api_object import ApiObject, ObjectKind, ReadObject, replaced
from playbooks.core.cluster.node import Node
from playbooks.core.cluster.pod import Pod
from playbooks.core.cluster.policies.kinds import NETWORK_POLICY, PolicyKind
from playbooks.core.cluster.selectors import Labels
from playbooks.core.cluster.workload import Owner, Scalable, Workload
from playbooks.core.errors import NotTheSameObject
from playbooks.core.evidence.documents import Kept
from playbooks.core.evidence.steps import Log
from playbooks.core.instant import Instant
from playbooks.core.ledger.book import Request
from playbooks.core.ledger.contained import Contained
from playbooks.core.ledger.limits import Limits
from playbooks.core.notifications.text_message import TextMessage
from playbooks.core.outcome import Outcome

Known = TypeVar("Known", bound=ReadObject)

# No field, label or annotation to set.
EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Judgement:
    """Whether a condition holds, and in words why not. ``holds`` None: it cannot be told."""

    holds: Optional[bool]
    words: str = ""


class Condition(ABC):
    """One expression about an alert and the pod that it proved to be about."""

    @property
    @abstractmethod
    def names_pod(self) -> bool:
        """Whether it is about the pod, too."""

    @abstractmethod
    def judge(self, alert: Alert, pod: Optional[Pod] = None) -> Judgement:
        """Takes no longer than a time that is linear in the length of what it looks at. Without
        ``pod``, what it says of one cannot be told. Never raises an Exception."""

    @abstractmethod
    def seen(self, alert: Alert) -> Hashable:
        """What of the alert it looks at: alerts that have that in common are judged alike."""


# Reads a condition. Raises InvalidSetting, which says what of it is not taken.
Conditions = Callable[[str], Condition]


class Clock(ABC):
    @abstractmethod
    def now(self) -> Instant:
        """The current time."""


class OwnPod(ABC):
    """Where the playbook itself runs."""

    @property
    @abstractmethod
    def namespace(self) -> str:
        """The namespace of its pod; outside of a cluster that of the kubeconfig's context."""

    @property
    @abstractmethod
    def pod(self) -> str:
        """The name of its pod; empty outside of a cluster."""

    @property
    @abstractmethod
    def node(self) -> str:
        """The name of its node; empty where nothing tells."""

    @property
    @abstractmethod
    def in_cluster(self) -> bool: ...


class Recorder(ABC):
    """Puts what people should know of on record, once an alert's outcome is final.

    ``EVERY``: it wants the others, too, such as most skips.
    """

    EVERY: bool = False

    @abstractmethod
    def record(self, alert: Alert, outcome: Outcome) -> None:
        """Raises a PlaybookError where it is not on record; nothing depends on that."""


@dataclass(frozen=True)
class Standing:
    """What keeps a playbook from acting: who ``paused`` it and when, or empty, the namespaces
    whose budget has ``tripped``, and the uids of what somebody has ``undone``."""

    paused: str = ""
    tripped: Tuple[str, ...] = ()
    undone: Tuple[str, ...] = ()


class Ledger(ABC):
    """What must be remembered of a playbook, and holds across its replicas and restarts."""

    @abstractmethod
    def ask(self, request: Request, limits: Limits, now: Instant) -> Answer:
        """A place for one action, or the refusal. Granted only once it is written.

        Raises a PlaybookError where the ledger cannot be read or written.
        """

    @abstractmethod
    def look(self, request: Request, limits: Limits, now: Instant) -> Answer:
        """What the answer would be. Nothing is written, and so no budget trips."""

    @abstractmethod
    def check(self) -> None:
        """Raises the PlaybookError for which no action can be written down. Nothing is written."""

    @abstractmethod
    def paused(self) -> str:
        """Who paused the playbook and when, or empty. Raises a PlaybookError."""

    @abstractmethod
    def standing(self) -> Standing:
        """Read anew. Raises a PlaybookError."""

    @abstractmethod
    def contained(self) -> Mapping[str, Contained]:
        """What the playbook contained, by uid: read anew. Raises a RetryableError."""

    @abstractmethod
    def contain(self, contained: Contained) -> None:
        """Remember it, before the object is changed. Raises a RetryableError."""

    @abstractmethod
    def release(self, uid: str, keys: Sequence[str]) -> None:
        """Forget these notes about an object. Raises a RetryableError."""

    @abstractmethod
    def tell(self, what: str, now: Instant) -> bool:
        """Whether people are to be told of this now: who asks first within an hour tells them.
        Raises a RetryableError."""

    @abstractmethod
    def untell(self, what: str) -> None:
        """They could not be told. Raises a RetryableError."""


class LedgerStore(ABC):
    """Where the ledger of a playbook is kept: one text, with optimistic locking."""

    @abstractmethod
    def read(self) -> Tuple[str, str]:
        """The text, and the version of it. An empty ledger is an empty text. Raises NotFound."""

    @abstractmethod
    def write(self, text: str, *, version: str) -> str:
        """Replace the text; the new version. Raises Conflict where somebody wrote it since."""

    def writable(self) -> str:
        """The text. Raises what keeps it from being written, as far as the store can tell."""
        return self.read()[0]


@dataclass
class Remembered:
    """``used``: whether a pod was given from memory."""

    used: bool = False


class Cluster(ABC):
    """The Kubernetes API, as far as reactions need it.

    Every method makes one API call, unless it says otherwise, and raises a PlaybookError. Lists are
    read by pages, and a call is one of each page; ListTooLong is raised where what a namespace has
    of a kind, other than pods, is more than is read for one alert.
    Manifests are plain dicts as the API has them.
    """

    @contextmanager
    def remembering(self) -> Iterator[Remembered]:
        """While it is entered, ``pod`` and ``pods_on`` may give this thread pods from memory, where
        there is one. What is then found missing, or cannot be proved, may have come since."""
        yield Remembered()

    def again(self, known: Known) -> Known:
        """The same object as it is now: a pod, a node, a workload, or one of another kind. Raises
        NotFound, or NotTheSameObject where another has its name."""
        found = self._of_the_name(known)
        if found.uid != known.uid:
            raise NotTheSameObject(replaced(known, known.uid))
        return cast("Known", found)

    def _of_the_name(self, known: ReadObject) -> ReadObject:
        if isinstance(known, Node):
            return self.node(known.name)
        if isinstance(known, Scalable):
            owner = Owner(known.kind, known.name)
            return Scalable(known.kind, self.owner(owner, namespace=known.namespace))
        if isinstance(known, ApiObject):
            return self.object(known.kind, known.name, namespace=known.namespace)
        return self.pod(known.name, namespace=known.namespace)

    # Pods, and what is kept of them

    @abstractmethod
    def pod(self, name: str, *, namespace: str) -> Pod:
        """Raises NotFound."""

    @abstractmethod
    def pods_on(self, node: str, *, namespaces: Tuple[str, ...]) -> Iterable[Pod]:
        """The pods of a node, read as they are asked for: one call, or one for each of
        ``namespaces`` where there are any."""

    @abstractmethod
    def labelled_pods(self, label: str, *, namespaces: Tuple[str, ...]) -> List[Pod]:
        """The pods with this label, whatever its value: one call, or one for each of
        ``namespaces`` where there are any."""

    @abstractmethod
    def patch_pod(
        self,
        pod: Pod,
        *,
        labels: Mapping[str, Optional[str]],
        annotations: Mapping[str, Optional[str]],
    ) -> None:
        """Set labels and annotations of exactly this pod as it was read; None takes one off.

        Raises NotFound, or Conflict when it was written, or replaced by another, since.
        """

    @abstractmethod
    def delete_pod(self, pod: Pod, *, grace_period_seconds: int) -> None:
        """Delete exactly this pod. Raises NotFound, or NotTheSameObject when its uid changed; for
        one that is remembered also Conflict when it was written since."""

    @abstractmethod
    def evict_pod(self, pod: Pod) -> None:
        """Evict exactly this pod as it was read, with its own grace period. Raises NotFound,
        NotTheSameObject when its uid changed, Conflict when it was written since, or Throttled
        where a PodDisruptionBudget does not allow it now."""

    @abstractmethod
    def identity_labels(self, pod: Pod) -> Optional[Tuple[str, ...]]:
        """The labels by which Cilium identifies a pod, as ``k8s:key=value``; none where it knows
        no such pod, None where the cluster has no Cilium. Up to three calls."""

    @abstractmethod
    def log(
        self, pod: Pod, container: str, *, previous: bool, most_bytes: int, seconds: float
    ) -> Log:
        """The end of a container's log, or of the log of the run before, each line with its time.

        Takes about ``seconds`` at most. Empty where the pod has no node yet. Raises NotFound, or
        Refused where there is no such container, or nothing of it to read.
        """

    @abstractmethod
    def output_of(
        self, pod: Pod, container: str, command: Sequence[str], *, most_bytes: int, seconds: float
    ) -> Log:
        """The beginning of what a command in a container writes to its standard output.

        Takes about ``seconds`` at most. Raises NotFound, NotTheSameObject where another pod of its
        name was there after it, or Refused where the program is not there or fails.
        """

    @abstractmethod
    def events_of(self, pod: Pod, *, seconds: float) -> List[Mapping[str, Any]]:
        """The Events about exactly this pod, the first 500 of them."""

    @abstractmethod
    def access_modes(self, claim: str, *, namespace: str) -> Tuple[str, ...]:
        """The access modes of a PersistentVolumeClaim. Raises NotFound."""

    @abstractmethod
    def create_snapshot(self, manifest: Mapping[str, Any]) -> None:
        """A VolumeSnapshot. Raises NotFound where the cluster serves none, or AlreadyExists."""

    # What owns and selects them

    @abstractmethod
    def owner(self, owner: Owner, *, namespace: str) -> Mapping[str, Any]:
        """The object that an owner reference names. Raises NotFound where there is none, where it
        has another uid than the reference, and for a kind that is no controller of Kubernetes."""

    @abstractmethod
    def workload(self, owner: Owner, *, namespace: str) -> Optional[Workload]:
        """What an owner of pods belongs to. A kind of another API is its own workload, of as many
        pods as the namespace has of it. None: the cluster has no such kind, and anybody can name
        it. One call, for a kind of another API up to three."""

    @abstractmethod
    def scale(self, workload: Scalable, replicas: int) -> None:
        """Set how many pods exactly this workload wants, as it was read. Raises NotFound, or
        Conflict when it was written, or replaced by another, since."""

    @abstractmethod
    def autoscalers(self, workload: Scalable) -> List[str]:
        """The names of the HorizontalPodAutoscalers that set its number."""

    @abstractmethod
    def rivals(self, namespace: str, labels: Labels) -> List[Owner]:
        """The ReplicaSets and ReplicationControllers for which one more pod of these labels would
        be one too many. Two calls."""

    @abstractmethod
    def service_keys(self, pod: Pod) -> Set[str]:
        """The labels of the pod by which Services select it."""

    # Nodes, and objects of other kinds

    @abstractmethod
    def node(self, name: str) -> Node:
        """Raises NotFound."""

    @abstractmethod
    def nodes(self) -> List[Node]: ...

    @abstractmethod
    def patch_node(
        self,
        node: Node,
        *,
        spec: Mapping[str, Any],
        annotations: Mapping[str, Optional[str]] = EMPTY,
        labels: Mapping[str, Optional[str]] = EMPTY,
    ) -> None:
        """Set fields of the node's spec, annotations and labels; None takes one off. A list, such
        as ``taints``, is replaced whole.

        Raises NotFound, or Conflict when it was written since.
        """

    @abstractmethod
    def object(self, kind: ObjectKind, name: str, *, namespace: str) -> ApiObject:
        """``namespace`` is empty for what belongs to none. Raises NotFound."""

    @abstractmethod
    def create_object(self, found: ApiObject) -> ApiObject:
        """Create it, and return it as it is stored. Raises AlreadyExists, or
        NamespaceTerminating."""

    @abstractmethod
    def patch_object(
        self,
        found: ApiObject,
        *,
        spec: Mapping[str, Any] = EMPTY,
        annotations: Mapping[str, Optional[str]] = EMPTY,
        labels: Mapping[str, Optional[str]] = EMPTY,
    ) -> None:
        """Set fields of the spec, annotations and labels of exactly this object as it was read;
        None takes one off. A list is replaced whole.

        Raises NotFound, or Conflict when it was written, or replaced by another, since.
        """

    @abstractmethod
    def delete_object(self, found: ApiObject) -> None:
        """Delete exactly this object, and what it owns after it. Raises NotFound, or
        NotTheSameObject when its uid changed."""

    # Policies of the network

    @abstractmethod
    def network_policies(
        self, namespace: str, kind: PolicyKind = NETWORK_POLICY, *, name: str = ""
    ) -> Iterable[Mapping[str, Any]]:
        """Those of a namespace; of a kind that belongs to none, all: read as they are asked for,
        since all of them may be more than there is memory. Each says its kind, but for
        NetworkPolicies. ``name``: only the one of that name. Raises NotFound where the cluster does
        not serve the kind."""

    @abstractmethod
    def policy_kinds(self) -> Tuple[PolicyKind, ...]:
        """The kinds beside NetworkPolicy that the cluster serves, or may serve: of an API that does
        not answer all. One call, and one for each API that has any."""

    @abstractmethod
    def may_store(self, kind: PolicyKind, namespace: str) -> bool:
        """Whether the account may create and update policies of a kind. Two calls."""

    @abstractmethod
    def create_network_policy(self, manifest: Mapping[str, Any]) -> None:
        """Of any kind. Raises AlreadyExists, or NamespaceTerminating."""

    @abstractmethod
    def replace_network_policy(self, manifest: Mapping[str, Any]) -> None:
        """Raises NotFound, or Conflict when it was written since its resourceVersion."""

    @abstractmethod
    def delete_network_policy(self, manifest: Mapping[str, Any]) -> None:
        """Delete exactly this policy as it was read.

        Raises NotFound, or Conflict when it was written, or replaced by another, since.
        """

    # Namespaces, and the cluster

    @abstractmethod
    def namespace_annotations(self, name: str) -> Mapping[str, str]:
        """Raises NotFound."""

    @abstractmethod
    def namespace_labels(self, name: str) -> Mapping[str, str]:
        """Raises NotFound."""

    @abstractmethod
    def serving_namespaces(self) -> Mapping[str, str]:
        """Namespaces on which the API server itself depends, and for what: those that serve an
        admission webhook or an API. Three calls."""

    @abstractmethod
    def api_servers(self) -> Tuple[str, ...]:
        """The addresses at which API servers are reached directly: where they run on nodes of the
        cluster, those nodes' own."""

    @abstractmethod
    def providers(self) -> FrozenSet[str]:
        """What the cluster is known to be of: ``gke``, ``openshift``, ``rancher``. Two calls."""


class WatchingCluster(Cluster):
    """One that remembers pods, and what guards ask for, by watching them. Nothing is read of the
    API server before it is needed, or ``start`` is called."""

    @abstractmethod
    def start(self) -> None:
        """Watch the pods from now on."""

    @abstractmethod
    def stop(self) -> None: ...

    @property
    @abstractmethod
    def live(self) -> bool:
        """Whether what is remembered of pods is what the API server had a moment ago."""

    @property
    @abstractmethod
    def answers(self) -> Mapping[str, int]:
        """How many pods that were asked for were as they are remembered (``view``), had changed
        since and were read (``changed``), or were read because they were not known, or the view
        was not live (``read``)."""

    @property
    @abstractmethod
    def objects(self) -> Mapping[str, Tuple[int, int]]:
        """By kind, how many are remembered, and the bytes that they take."""

    @abstractmethod
    def learned(self, claim: Claim) -> Optional[Future[None]]:
        """Done as soon as the container in an alert is known to be some pod's. None: nobody would
        hear of it."""


class Evidence(ABC):
    """Keeps what a deletion would destroy."""

    @abstractmethod
    def keep(self, pod: Pod, alert: Alert) -> Kept:
        """Keep a set of it, whole when this returns; nothing where that set is there already.

        What cannot be read is missing in the set, and said. Raises EvidenceUnavailable where the
        set cannot be stored in its time.
        """


class Slack(ABC):
    @abstractmethod
    def post(self, message: Mapping[str, Any]) -> None:
        """Post one message. Raises SlackRejected, SlackUnavailable or Throttled."""


class Notifier(ABC):
    @abstractmethod
    def send(self, message: TextMessage) -> None:
        """Tell all services. Raises NotificationFailed where one of them was not told; told again,
        it tells only those that were not."""


class Webhook(ABC):
    @abstractmethod
    def send(self, event: Mapping[str, Any]) -> None:
        """Send a CloudEvent; again, where it is tried again, under the same id.

        Raises WebhookRejected, WebhookUnavailable or Throttled.
        """


@dataclass(frozen=True)
class Collaborators:
    clock: Clock
    own_pod: OwnPod

    @property
    def conditions(self) -> Optional[Conditions]:
        """What reads the setting WHEN; None: nothing does."""
        return None


@dataclass(frozen=True)
class WithoutCluster(Collaborators):
    """For playbooks that do not act on the cluster."""

    conditions: Optional[Conditions] = None


@dataclass(frozen=True)
class ClusterCollaborators(Collaborators):
    """For playbooks that act on the cluster. ``recorders`` hear of every final outcome.
    ``evidence`` None: none is kept. ``conditions`` None: nothing reads the setting WHEN."""

    cluster: Cluster
    ledger: Ledger
    recorders: Tuple[Recorder, ...] = ()
    evidence: Optional[Evidence] = None
    conditions: Optional[Conditions] = None
