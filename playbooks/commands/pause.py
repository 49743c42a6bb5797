"""``falco-playbook pause``, ``resume`` and ``reset``: what a person writes into the ledger."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, Callable, List, Mapping, Optional, Sequence, TypeVar, cast

import click

from playbooks.commands import tell
from playbooks.commands.deployed import environment_of
from playbooks.commands.in_pod import who
from playbooks.commands.options import Selection, Session, command, selects
from playbooks.core.cluster.manifest import (
    KUBELESS_API,
    LEDGER,
    Manifest,
    label,
    reference,
    shown,
)
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.errors import NotFound, PlaybookError
from playbooks.core.instant import Instant
from playbooks.core.ledger.book import ALL, Book
from playbooks.core.ledger.limits import object_name
from playbooks.core.notifications.plain_text import plain
from playbooks.deployment.errors import DeploymentError
from playbooks.deployment.manifests import ledger as manifests
from playbooks.deployment.removal.reach import Place
from playbooks.deployment.request import catalogue
from playbooks.deployment.request.names import namespace_problems
from playbooks.infrastructure.kubernetes.ledger import KEY
from playbooks.infrastructure.ledger import change, read
from playbooks.infrastructure.this_pod import SystemClock

F = TypeVar("F", bound=Callable[..., Any])

# Of ``--ledger``: none is read or written.
NONE = "off"

_ADVICE = f"--ledger NAMESPACE/NAME names it, --ledger {NONE} goes without"


@dataclass(frozen=True)
class Scope:
    """``everything``: every playbook that has a ledger, in the namespace or in all of them."""

    everything: bool
    all_namespaces: bool

    def problems(self, which: Selection) -> List[str]:
        found = []
        if self.everything and which.function:
            found.append("--all is every playbook: it takes neither -p nor -N")
        if self.all_namespaces and not self.everything:
            found.append("-A is allowed with --all only")
        if self.all_namespaces and which.namespace is not None:
            found.append("-A is not allowed with -n")
        if which.playbook in catalogue.names() and not catalogue.load(which.playbook).acts:
            found.append(
                f"{which.playbook} changes nothing in a cluster and has no ledger, so that it"
                f" cannot be paused: 'deploy_playbook -x -p {which.playbook}' removes it"
            )
        return found


def _scoped(command: F) -> F:
    """Gives a command its Scope as ``scope``, from --all and -A. It takes -o, without effect."""

    @click.option(
        "--all", "everything", is_flag=True, help="Every playbook of the namespace, instead of -p."
    )
    @click.option(
        "-A", "--all-namespaces", is_flag=True, help="With --all: the playbooks of all namespaces."
    )
    @click.option(
        "-o",
        "--output",
        type=click.Choice(["text", "json"]),
        hidden=True,
        expose_value=False,
    )
    @functools.wraps(command)
    def scoped(*given: Any, everything: bool, all_namespaces: bool, **others: Any) -> Any:
        return command(*given, scope=Scope(everything, all_namespaces), **others)

    return cast(F, scoped)


@command('pause -p delete --why "node maintenance"', "pause --all -n responders", "pause --all -A")
@selects
@_scoped
@click.option("--why", metavar="TEXT", default="", help="The reason, for the record.")
def pause(session: Session, which: Selection, scope: Scope, why: str) -> int:
    """Pause a playbook: it does not act until it is resumed.

    Its alerts are held: with NATS JetStream they become dead letters.
    """

    def write(book: Book, by: str, now: Instant) -> str:
        if book.paused:
            return f"already paused, since {paused_since(book.paused)}"
        book.pause(by, now, why)
        return f"paused by {by}; alerts are held until it is resumed"

    return _written(session, which, scope, write)


@command("resume -p delete", "resume --all -A")
@selects
@_scoped
def resume(session: Session, which: Selection, scope: Scope) -> int:
    """Resume a paused playbook.

    Held alerts stay dead letters: 'falco-playbook dead --redeliver' sends them again.
    """

    def write(book: Book, _by: str, _now: Instant) -> str:
        paused = book.paused
        book.resume()
        return f"resumed, paused since {paused_since(paused)}" if paused else "not paused"

    return _written(session, which, scope, write)


@command("reset -p delete", "reset -p delete --budget-of shop")
@selects
@_scoped
@click.option(
    "--budget-of",
    metavar="NAMESPACE",
    help="The budget of this namespace only. Default: those of all namespaces, and the shared one.",
)
def reset(session: Session, which: Selection, scope: Scope, budget_of: Optional[str]) -> int:
    """Reset the budget of a playbook.

    In a namespace whose budget (MAX_ACTIONS) is used up a playbook does not act until it is reset.
    Without --budget-of the window of MAX_ACTIONS_ALL begins anew, too.

    A ledger that was deleted, or that cannot be read, is made anew: not paused, nothing counted.
    """
    problems = [] if budget_of is None else namespace_problems(budget_of)

    def write(book: Book, by: str, now: Instant) -> str:
        tripped = ", ".join(sorted(book.tripped)) or "none"
        book.reset(budget_of or ALL, by, now)
        place = f"namespace {budget_of}" if budget_of else "all namespaces"
        return f"budget of {place} reset (tripped: {tripped}); held alerts stay dead letters"

    return _written(session, which, scope, write, problems, anew=True)


def _written(
    session: Session,
    which: Selection,
    scope: Scope,
    write: Callable[[Book, str, Instant], str],
    problems: Sequence[str] = (),
    *,
    anew: bool = False,
) -> int:
    """The exit code. ``anew``: make a ledger that is gone, or cannot be read. Raises
    DeploymentError with the ledgers that were not written."""
    which.check(*scope.problems(which), *problems, required=not scope.everything)
    namespace = session.namespace(which)
    if scope.everything and not scope.all_namespaces:
        tell("", [f"only the playbooks of namespace {namespace}: -A is those of all namespaces"])
    if scope.everything:
        places = _everywhere(session.cluster, "" if scope.all_namespaces else namespace)
    else:
        places = [_of_function(session.cluster, namespace, which.function, anew=anew)]
    reach, failed = session.reach(), []
    by, now = who(session.cluster), SystemClock().now
    for place in places:
        ledger = "/".join(place)
        try:
            said = change(reach.ledger(place), lambda book: write(book, by, now()), anew=anew)
        except PlaybookError as error:
            failed.append(f"{ledger} was not changed: {error}")
        else:
            print(plain(f"{ledger}: {said}"))
    if failed:
        raise DeploymentError("\n".join(failed))
    return 0


def paused_since(paused: Mapping[str, str]) -> str:
    """Such as ``2026-01-02T03:04:05Z by alice: node maintenance``."""
    why = f": {paused['why']}" if paused.get("why") else ""
    return f"{paused.get('at', '')} by {paused.get('by', '')}{why}"


def _of_function(
    cluster: ClusterObjects, namespace: str, function: str, *, anew: bool = False
) -> Place:
    """``anew``: also one that is gone, where the Function is there. Raises DeploymentError where
    there is none."""
    name = manifests.name(function)
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


def _everywhere(cluster: ClusterObjects, namespace: str) -> List[Place]:
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
            found.append(ledger_place(each))
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
    namespace, name = ledger_place(function)
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
        places = within or ("",)
        found = [f for p in places for f in cluster.list(("functions.kubeless.io",), namespace=p)]
    except PlaybookError as error:
        raise DeploymentError(f"Functions cannot be listed: {error}\n{_ADVICE}") from error
    return [
        each
        for each in found
        if (each.get("spec") or {}).get("handler") == f"{playbook}.handler"
        and function in ("", each["metadata"]["name"])
    ]


def ledger_place(function: Mapping[str, Any]) -> Place:
    """As the setting of its pods says."""
    metadata = function["metadata"]
    return ledger_of(environment_of(function), metadata["namespace"], metadata["name"])


def ledger_of(environment: Mapping[str, str], namespace: str, function: str) -> Place:
    """The same, of the environment of a function."""
    setting = environment.get(manifests.SETTING, "")
    given, name = object_name(setting) or ("", manifests.name(function))
    return given or namespace, name
