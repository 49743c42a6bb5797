"""Where the ledger of a playbook is, and ``--ledger``."""

from __future__ import annotations

from typing import Any, Callable, List, Mapping, Sequence, TypeVar

import click

from playbooks.commands import tell
from playbooks.commands.options import Selection, Session
from playbooks.commands.targets import pushed
from playbooks.core import catalogue
from playbooks.core.cluster.manifest import KUBELESS_API, LEDGER, Manifest, label, reference, shown
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.errors import NotFound, PlaybookError
from playbooks.core.ledger.book import Book
from playbooks.core.ledger.limits import ledger_name, object_name
from playbooks.deployment.errors import DeploymentError
from playbooks.deployment.manifests.record import ledger_of, playbook_of
from playbooks.deployment.removal.client import Place
from playbooks.infrastructure.kubernetes.ledger import KEY
from playbooks.infrastructure.ledger import read

F = TypeVar("F", bound=Callable[..., Any])

# Of ``--ledger``: none is read or written.
NONE = "off"

_ADVICE = f"--ledger NAMESPACE/NAME names it, --ledger {NONE} goes without"


def of_function(
    cluster: ClusterObjects, namespace: str, function: str, *, anew: bool = False
) -> Place:
    """``anew``: also one that is gone, where the Function is there. Raises DeploymentError where
    there is none."""
    name = ledger_name(function)
    found = cluster.get([reference("v1", "ConfigMap", name, namespace)])
    ours = found and label(found[0], LEDGER) is not None
    function_there = (
        anew
        and not found
        and cluster.get([reference(KUBELESS_API, "Function", function, namespace)])
    )
    if not ours and not function_there:
        raise DeploymentError(
            f"there is no ledger {namespace}/{name}: deploying the playbook makes it"
        )
    return namespace, name


def everywhere(cluster: ClusterObjects, namespace: str) -> List[Place]:
    """The ledgers of all playbooks, in one namespace or in all. Raises DeploymentError for none."""
    found = cluster.list(("configmaps",), namespace=namespace, selector=LEDGER)
    if not found:
        where = f"in namespace {namespace}" if namespace else "in this cluster"
        raise DeploymentError(f"there is no playbook with a ledger {where}")
    return sorted((m["metadata"]["namespace"], m["metadata"]["name"]) for m in found)


def ledger_option(use: str) -> Callable[[F], F]:
    """``--ledger``, whose ConfigMap is there for this use."""
    return click.option(
        "--ledger",
        metavar="NAMESPACE/NAME",
        default="",
        help=f"The ConfigMap {use}, or '{NONE}'. Default: that of each Function of the playbook.",
    )


def ledger_problems(given: str) -> List[str]:
    """What is wrong with the value of ``--ledger``."""
    try:
        place = object_name("" if given == NONE else given)
    except ValueError:
        place = ("", given)
    if place is None or place[0]:
        return []
    return [f"--ledger is {given!r}, expected NAMESPACE/NAME of a ConfigMap, or {NONE}"]


def ledger_places(
    cluster: ClusterObjects, playbook: str, function: str, given: str, within: Sequence[str] = ()
) -> List[Place]:
    """The ledger that was given, or those of the playbook's Functions that are ours.

    ``function``: that one only; empty for all. ``within``: namespaces, none means all. What is
    wrong with a ledger is a warning. Raises DeploymentError where there is no Function.
    """
    if given == NONE:
        return []
    named = object_name(given) if given else None
    if named:
        return [named]
    functions = _functions(cluster, playbook, function, within)
    if not functions:
        of_name = f" named {function}" if function else ""
        where = f"in namespace {' or '.join(within)}" if within else "in this cluster"
        also = "-A looks in all namespaces, " * bool(within)
        raise DeploymentError(
            f"no Function{of_name} of playbook {playbook} is deployed {where}, so its ledger is"
            f" unknown: {also}{_ADVICE}"
        )
    found = []
    for each in functions:
        try:
            ledger_of_ours(cluster, each)
            found.append(ledger_of(each))
        except PlaybookError as error:
            tell("warning", [f"the ledger of {shown(each)} is left out: {error}"])
    return found


def all_namespaces_option(command: F) -> F:
    """Gives a command ``all_namespaces``, from -A."""
    return click.option(
        "-A",
        "--all-namespaces",
        is_flag=True,
        help="Use the ledgers of the playbook's Functions in all namespaces. Default: those in the"
        " namespaces of -n and of the kubeconfig.",
    )(command)


def looked_in(session: Session, which: Selection, all_namespaces: bool) -> Sequence[str]:
    """The namespaces whose Functions count; none means all."""
    if all_namespaces:
        return ()
    places = (which.namespace, session.cluster.current_namespace())
    return tuple(dict.fromkeys(place for place in places if place))


def ledger_of_ours(cluster: ClusterObjects, function: Mapping[str, Any]) -> Book:
    """What is in the ledger of a Function: its setting may name any ConfigMap, and whoever made the
    Function chose it. Raises a PlaybookError where that is none of ours."""
    namespace, name = ledger_of(function)
    if namespace != function["metadata"]["namespace"]:
        said = f"{namespace}/{name} is in another namespace than its Function"
        raise DeploymentError(f"{said}: --ledger {namespace}/{name} takes it all the same")
    found = cluster.get([reference("v1", "ConfigMap", name, namespace)])
    if not found:
        raise NotFound(f"there is no ledger {namespace}/{name}: deploying the playbook makes it")
    if label(found[0], LEDGER) is None:
        said = f"ConfigMap {namespace}/{name} has no label {LEDGER}, which every ledger has"
        raise DeploymentError(
            f"{said}: kubectl label configmap {name} -n {namespace} {LEDGER}=true"
        )
    return read((found[0].get("data") or {}).get(KEY, ""))


def _functions(
    cluster: ClusterObjects, playbook: str, function: str, within: Sequence[str]
) -> List[Manifest]:
    try:
        found = [f for p in within or ("",) for f in pushed.with_functions(cluster, p)]
    except PlaybookError as error:
        raise DeploymentError(f"Functions cannot be listed: {error}\n{_ADVICE}") from error
    wanted = catalogue.leaving(catalogue.load(playbook))
    return [
        each
        for each in found
        if playbook_of(each) in wanted and function in ("", each["metadata"]["name"])
    ]
