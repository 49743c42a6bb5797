"""``falco-playbook pause``, ``resume`` and ``reset``: what a person writes into the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, List, Mapping, Optional, Sequence, Tuple, TypeVar

import click

from playbooks.commands.cluster import Cluster
from playbooks.commands.in_pod import who
from playbooks.commands.options import Place, Selection, Session, command, selects
from playbooks.core.cluster.manifest import Manifest, reference
from playbooks.core.errors import Conflict, NotFound, PlaybookError
from playbooks.core.instant import Instant
from playbooks.core.ledger.book import ALL, Book
from playbooks.core.ledger.ledger import change
from playbooks.core.ledger.limits import object_name
from playbooks.core.notifications.plain_text import plain
from playbooks.core.ports import LedgerStore
from playbooks.deployment.apply import preflight
from playbooks.deployment.errors import DeploymentError
from playbooks.deployment.kubectl import Conflicting, KubectlError, NotThere
from playbooks.deployment.manifests import ledger as manifests
from playbooks.deployment.request.names import namespace_problems
from playbooks.infrastructure.kubernetes.ledger import KEY
from playbooks.infrastructure.this_pod import SystemClock

F = TypeVar("F", bound=Callable[..., Any])

# Of ``--ledger``: none is read or written.
NONE = "off"

_ADVICE = f"--ledger NAMESPACE/NAME names it, --ledger {NONE} goes without"

_everything = click.option(
    "--all", "everything", is_flag=True, help="Every playbook that has a ledger, instead of -p."
)


def _output(command: F) -> F:
    """Taken as by the other commands, and without effect."""
    choice = click.Choice(["text", "json"])
    return click.option("-o", "--output", type=choice, hidden=True, expose_value=False)(command)


@command('pause -p delete --why "node maintenance"', "pause --all")
@selects
@_everything
@click.option("--why", metavar="TEXT", default="", help="The reason, for the record.")
@_output
def pause(session: Session, which: Selection, everything: bool, why: str) -> int:
    """Pause a playbook: it does not act until it is resumed.

    Its alerts are held: with NATS JetStream they become dead letters.
    """

    def write(book: Book, by: str, now: Instant) -> str:
        book.pause(by, now, why)
        return f"paused by {by}; alerts are held until it is resumed"

    return _written(session, which, everything, write)


@command("resume -p delete", "resume --all")
@selects
@_everything
@_output
def resume(session: Session, which: Selection, everything: bool) -> int:
    """Resume a paused playbook.

    Held alerts stay dead letters: 'falco-playbook dead --redeliver' sends them again.
    """

    def write(book: Book, _by: str, _now: Instant) -> str:
        paused = book.paused
        book.resume()
        return f"resumed, paused since {paused['at']} by {paused['by']}" if paused else "not paused"

    return _written(session, which, everything, write)


@command("reset -p delete", "reset -p delete --budget-of shop")
@selects
@_everything
@click.option(
    "--budget-of",
    metavar="NAMESPACE",
    help="The budget of this namespace only. Default: those of all namespaces, and the shared one.",
)
@_output
def reset(session: Session, which: Selection, everything: bool, budget_of: Optional[str]) -> int:
    """Reset the budget of a playbook.

    A playbook that used its budget up does not act until it is reset. The budget is that of the
    settings MAX_ACTIONS and MAX_ACTIONS_ALL.
    """
    problems = [] if budget_of is None else namespace_problems(budget_of)

    def write(book: Book, by: str, now: Instant) -> str:
        tripped = ", ".join(sorted(book.tripped)) or "none"
        book.reset(budget_of or ALL, by, now)
        place = f"namespace {budget_of}" if budget_of else "all namespaces"
        return f"budget of {place} reset (tripped: {tripped}); held alerts stay dead letters"

    return _written(session, which, everything, write, problems)


def _written(
    session: Session,
    which: Selection,
    everything: bool,
    write: Callable[[Book, str, Instant], str],
    problems: Sequence[str] = (),
) -> int:
    """The exit code. Raises DeploymentError with the ledgers that were not written."""
    both = ["--all is every playbook: it takes neither -p nor -N"] if which.function else []
    which.check(*problems, *(both if everything else []), required=not everything)
    namespace = session.namespace(which)
    if everything:
        ledgers = _everywhere(session.cluster, which.namespace or "")
    else:
        ledgers = [KubectlLedger(session.cluster, namespace, manifests.name(which.function))]
    by, now, failed = who(session.cluster), SystemClock().now, []
    for ledger in ledgers:
        try:
            said = change(ledger, lambda book: write(book, by, now()))
        except PlaybookError as error:
            failed.append(f"{ledger} was not changed: {error}")
        else:
            print(plain(f"{ledger}: {said}"))
    if failed:
        raise DeploymentError("\n".join(failed))
    return 0


@dataclass(frozen=True)
class KubectlLedger(LedgerStore):
    cluster: Cluster
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    def read(self) -> Tuple[str, str]:
        found = self._stored()
        return (found.get("data") or {}).get(KEY, ""), found["metadata"]["resourceVersion"]

    def write(self, text: str, *, version: str) -> str:
        stored = self._stored()
        metadata = {**stored["metadata"], "resourceVersion": version}
        wanted = {**stored, "metadata": metadata, "data": {KEY: text}}
        try:
            (written,) = self.cluster.replace([wanted])
        except Conflicting as error:
            raise Conflict(str(error)) from error
        except NotThere as error:
            raise NotFound(str(error)) from error
        return str(written["metadata"]["resourceVersion"])

    def _stored(self) -> Manifest:
        found = self.cluster.get([reference("v1", "ConfigMap", self.name, self.namespace)])
        if not found:
            raise NotFound(f"there is no ledger {self}: deploying the playbook makes it")
        return found[0]


def _everywhere(cluster: Cluster, namespace: str) -> List[KubectlLedger]:
    """The ledgers of all playbooks, in one namespace or in all. Raises DeploymentError for none."""
    found = cluster.list(("configmaps",), namespace=namespace, selector=manifests.LABEL)
    if not found:
        where = f"in namespace {namespace}" if namespace else "in this cluster"
        raise DeploymentError(f"there is no playbook with a ledger {where}")
    places = ((m["metadata"]["namespace"], m["metadata"]["name"]) for m in found)
    return [KubectlLedger(cluster, *place) for place in sorted(places)]


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


def ledger_places(cluster: Cluster, playbook: str, function: str, given: str) -> List[Place]:
    """The ledger that was given, or those of every Function of the playbook, in all namespaces.

    ``function``: that one only; empty for all. Raises DeploymentError where there is none.
    """
    if given == NONE:
        return []
    named = object_name(given) if given else None
    if named:
        return [named]
    preflight.check_kubectl()
    found = [_place(each) for each in _functions(cluster, playbook, function)]
    if not found:
        of_name = f" named {function}" if function else ""
        raise DeploymentError(
            f"no Function{of_name} of playbook {playbook} is deployed in this cluster, so its"
            f" ledger is unknown: {_ADVICE}"
        )
    return found


def _functions(cluster: Cluster, playbook: str, function: str) -> List[Mapping[str, Any]]:
    try:
        found = cluster.list(("functions.kubeless.io",))
    except KubectlError as error:
        raise DeploymentError(f"Functions cannot be listed: {error}\n{_ADVICE}") from error
    return [
        each
        for each in found
        if (each.get("spec") or {}).get("handler") == f"{playbook}.handler"
        and function in ("", each["metadata"]["name"])
    ]


def _place(function: Mapping[str, Any]) -> Place:
    """As the setting of its pods says."""
    metadata = function["metadata"]
    setting = _environment(function).get(manifests.SETTING)
    namespace, name = object_name(setting or "") or ("", manifests.name(metadata["name"]))
    return namespace or metadata["namespace"], name


def _environment(function: Mapping[str, Any]) -> Mapping[str, str]:
    found = function["spec"]
    for part in ("deployment", "spec", "template", "spec"):
        found = found.get(part) or {}
    return {
        variable["name"]: variable.get("value", "")
        for container in found.get("containers") or ()
        for variable in container.get("env") or ()
    }
