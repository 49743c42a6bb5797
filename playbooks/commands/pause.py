"""``falco-playbook pause``, ``resume`` and ``reset``: what a person writes into the ledger."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Any, Callable, List, Mapping, Optional, Sequence, TypeVar, cast

import click

from playbooks.commands import tell
from playbooks.commands.options import Selection, Session, command, selects
from playbooks.commands.targets import ledgers
from playbooks.commands.undo import as_typed, is_cluster_wide
from playbooks.core import catalogue
from playbooks.core.errors import PlaybookError
from playbooks.core.instant import Instant
from playbooks.core.ledger.book import ALL, Book
from playbooks.core.ledger.legible import SOMEBODY
from playbooks.core.notifications.plain_text import plain
from playbooks.deployment.errors import DeploymentError
from playbooks.deployment.removal.client import who
from playbooks.deployment.request import by_name
from playbooks.deployment.request.names import namespace_problems
from playbooks.infrastructure.ledger import change
from playbooks.infrastructure.this_pod import SystemClock

F = TypeVar("F", bound=Callable[..., Any])


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
        playbook = by_name.find(which.playbook)
        if playbook and not playbook.acts:
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


@command("resume -p delete", "resume --all -A", "resume --all -A --object pod/shop/web-1")
@selects
@_scoped
@click.option(
    "--object",
    "target",
    metavar="OBJECT",
    help="Instead: act again on this object, KIND/NAME or KIND/NAMESPACE/NAME, which 'undo' has the"
    " playbook leave alone.",
)
def resume(session: Session, which: Selection, scope: Scope, target: Optional[str]) -> int:
    """Resume a paused playbook.

    Held alerts stay dead letters: 'falco-playbook dead --redeliver' sends them again.
    """

    def write(book: Book, _by: str, now: Instant) -> str:
        if target is not None:
            return _act_again(book, target, now)
        paused = book.paused
        book.resume()
        return f"resumed, paused since {paused_since(paused)}" if paused else "not paused"

    return _written(session, which, scope, write, _object_problems(target))


def _object_problems(target: Optional[str]) -> List[str]:
    if target is None:
        return []
    kind, *name = _typed(target).split("/")
    parts = 1 if is_cluster_wide(kind) else 2
    if catalogue.containing(kind) and len(name) == parts and all(name):
        return []
    return [f"--object is {target!r}, expected such as pod/NAMESPACE/NAME or node/NAME"]


def _act_again(book: Book, target: str, now: Instant) -> str:
    """What became of the exemption that somebody's undoing gave the object."""
    alone = {uid: note for uid, note in book.undone.items() if now < Instant.parse(note["until"])}
    found = [u for u, note in alone.items() if _typed(note.get("what", "")) == _typed(target)]
    book.act_again(found)
    if found:
        return f"acts on {target} again, which {alone[found[0]].get('by', SOMEBODY)} undid"
    others = ", ".join(sorted(note.get("what", "") for note in alone.values()))
    return f"{target} is not left alone{f': left alone are {others}' * bool(others)}"


def _typed(what: str) -> str:
    """How people type an object that the ledger notes as ``pod shop/web-1``, and may copy so."""
    return as_typed(re.sub("^([a-z]+) ", r"\1/", what))


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
    Without --budget-of the window of MAX_ACTIONS_ALL is reset, too.

    A ledger that was deleted, or that cannot be read, is created again: not paused, with nothing
    counted.
    """
    problems = [] if budget_of is None else namespace_problems(budget_of)

    def write(book: Book, by: str, now: Instant) -> str:
        was = set(book.tripped)
        book.reset(budget_of or ALL, by, now)
        place = f"namespace {budget_of}" if budget_of else "all namespaces"
        used_up = f"used up: {', '.join(sorted(was - set(book.tripped))) or 'none'}"
        if book.tripped:
            used_up += f"; still used up: {', '.join(sorted(book.tripped))}"
        return f"budget of {place} reset ({used_up}); held alerts stay dead letters"

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
        places = ledgers.everywhere(session.cluster, "" if scope.all_namespaces else namespace)
    else:
        places = [ledgers.of_function(session.cluster, which.function, namespace, anew=anew)]
    client, failed = session.client(), []
    by, now = who(session.cluster), SystemClock().now
    for place in places:
        ledger = "/".join(place)
        try:
            said = change(client.ledger(place), lambda book: write(book, by, now()), anew=anew)
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
