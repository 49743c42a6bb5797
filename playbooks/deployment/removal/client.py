"""A client of the cluster by the playbooks' own ports: reads and writes their ledgers, and releases
what they contain, with preconditions that kubectl has no words for."""

from __future__ import annotations

import getpass
import socket
from dataclasses import dataclass
from typing import Any, Callable, Mapping, Sequence, Tuple, Type

from playbooks.core.cluster.manifest import LEDGER, label
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.containment.containment import Containment
from playbooks.core.containment.undo import LEFT_ALONE, Undo
from playbooks.core.instant import Instant, after
from playbooks.core.ledger.book import Book
from playbooks.core.ledger.limits import function_of
from playbooks.core.ports import Clock, Cluster, LedgerStore
from playbooks.deployment.errors import DeploymentError
from playbooks.deployment.manifests import rbac
from playbooks.deployment.manifests.record import ledger_of
from playbooks.infrastructure import ledger as ledgers
from playbooks.infrastructure.kubernetes import connect
from playbooks.infrastructure.kubernetes.api import KubernetesApi
from playbooks.infrastructure.kubernetes.cluster import KubernetesCluster
from playbooks.infrastructure.kubernetes.ledger import KEY, ConfigMapLedger
from playbooks.infrastructure.this_pod import SystemClock

# Namespace and name of a ConfigMap.
Place = Tuple[str, str]


@dataclass(frozen=True)
class FunctionLedger:
    """Where the ledger of a function is, and of which playbook that is; the name is empty where the
    ledger alone is known."""

    place: Place
    function: str
    playbook: str


@dataclass(frozen=True)
class Client:
    """``ledger``: the store in a ConfigMap."""

    clock: Clock
    cluster: Cluster
    ledger: Callable[[Place], LedgerStore]

    def undo(
        self,
        containment: Type[Containment],
        places: Sequence[Place],
        by: str,
        *,
        force: bool = False,
    ) -> Undo:
        """Of what the ledgers in ``places`` know, where it is left alone from then on. ``by``: who
        undoes it, for the record. ``force``: as for Undo."""
        stores = [self.ledger(place) for place in places]
        until = self.left_alone_until()

        def exempt(uid: str, what: str) -> None:
            for store in stores:
                ledgers.change(store, lambda book: book.leave_alone(uid, what, by, until))

        known = [ledgers.StoredLedger(store) for store in stores]
        return Undo(containment, self.cluster, known, exempt, force=force)

    def left_alone_until(self) -> Instant:
        """Until when playbooks leave alone what is undone now."""
        return after(self.clock.now(), LEFT_ALONE)


def client_for(context: str = "", kubeconfig: str = "") -> Client:
    """The cluster that kubectl would take; in a pod without a kubeconfig, the pod's own.

    ``context``: of the kubeconfig, empty for the current one. Nothing is connected yet.
    """
    api = KubernetesApi(connect=lambda: connect.of_context(context, kubeconfig).connect())

    def ledger(place: Place) -> LedgerStore:
        namespace, name = place
        return ConfigMapLedger(api, namespace=namespace, name=name, function=function_of(name))

    return Client(SystemClock(), KubernetesCluster(api), ledger)


def place_of_ours(function: Mapping[str, Any]) -> Place:
    """The ledger of a Function: its setting may name any ConfigMap, and whoever made the Function
    chose it. Raises a PlaybookError for one in another namespace."""
    place = ledger_of(function)
    elsewhere = _elsewhere(place, function)
    if elsewhere:
        raise DeploymentError(elsewhere)
    return place


def _elsewhere(place: Place, function: Mapping[str, Any]) -> str:
    namespace, name = place
    if namespace == function["metadata"]["namespace"]:
        return ""
    return (
        f"{namespace}/{name} is in another namespace than its Function, and only falco-playbook"
        f" undo --ledger {namespace}/{name} goes by it"
    )


@dataclass(frozen=True)
class ReadLedger:
    """The ledger of a Function, as it was read. ``text``: empty where it is not there.
    ``refusal``: why nothing goes by it, or empty where it is one of ours."""

    text: str
    refusal: str

    @property
    def book(self) -> Book:
        """Raises Unexpected where the text is no book."""
        return ledgers.read(self.text)


def read_ledger(cluster: ClusterObjects, function: Mapping[str, Any]) -> ReadLedger:
    """Whosever it is, in one call. Raises a PlaybookError where it cannot be read."""
    namespace, name = place = ledger_of(function)
    found = cluster.find("v1", "ConfigMap", name, namespace)
    if not found:
        missing = f"there is no ledger {namespace}/{name}: deploying the playbook makes it"
        return ReadLedger("", missing)
    refusal = _elsewhere(place, function)
    if not refusal and label(found, LEDGER) is None:
        refusal = (
            f"ConfigMap {namespace}/{name} has no label {LEDGER}, which every ledger has: kubectl"
            f" label configmap {name} -n {namespace} {LEDGER}=true"
        )
    return ReadLedger((found.get("data") or {}).get(KEY, ""), refusal)


def ledger_of_ours(cluster: ClusterObjects, function: Mapping[str, Any]) -> Book:
    """What is in it. Raises a PlaybookError where it is no ledger of ours; one in another namespace
    is not read."""
    place_of_ours(function)
    read = read_ledger(cluster, function)
    if read.refusal:
        raise DeploymentError(read.refusal)
    return read.book


def refuse_without_rights(
    cluster: ClusterObjects, function: str, home: str, namespace: str
) -> None:
    """Raises DeploymentError where the function of the namespace ``home`` has no rights in another
    one, or where that is empty, in the whole cluster: it contained nothing there, whatever stands
    in its ledger. Whoever may write that and a Function can make no such binding."""
    name = rbac.role_name(function, home)
    if namespace and cluster.find(rbac.API, "RoleBinding", name, namespace):
        return
    if cluster.find(rbac.API, "ClusterRoleBinding", name):
        return
    here = f"in namespace {namespace} (no RoleBinding {name}), nor " if namespace else ""
    raise DeploymentError(
        f"it has no rights {here}in the whole cluster (no ClusterRoleBinding {name})"
    )


def who(cluster: ClusterObjects) -> str:
    """Who runs this command, for the record: the cluster's user, and the user of this machine.

    Both, because several people may share one account of a cluster.
    """
    try:
        local = getpass.getuser()
    except (KeyError, OSError):
        local = "unknown"
    here = f"{local}@{socket.gethostname()}"
    known = cluster.whoami()
    return f"{known} ({here})" if known else here
