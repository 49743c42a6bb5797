"""``falco-playbook list``, ``status`` and ``contained``: what is deployed, and in what state."""

from __future__ import annotations

import json
from typing import Any, Callable, List, Optional, Sequence, Tuple, TypeVar

import click

from playbooks.commands import tell
from playbooks.commands.options import Selection, Session, command, outputs, selects
from playbooks.commands.state import document
from playbooks.commands.state.document import Document, OfLedger
from playbooks.commands.state.text import (
    COLUMNS,
    CONTAINED,
    WIDE,
    contained_row,
    paragraph,
    row,
    wide_row,
)
from playbooks.commands.state.watch import watch
from playbooks.commands.targets.deployed import functions
from playbooks.core.cluster.manifest import Manifest
from playbooks.deployment.errors import DeploymentError
from playbooks.deployment.terminal import Row, print_json, show_table, table
from playbooks.deployment.workers.deployed_function import in_others

F = TypeVar("F", bound=Callable[..., Any])

# Columns and rows.
Table = Tuple[Sequence[str], List[Row]]
View = Callable[[List[Document]], Table]

NOTHING_CONTAINED = "nothing is contained"

TEXT, WIDE_TABLE, JSON = "text", "wide", "json"


def _shows(command: F) -> F:
    """Gives a command ``all_namespaces`` and ``watching``."""
    for option in (
        click.option(
            "-w",
            "--watch",
            "watching",
            is_flag=True,
            help="Look again every 5 seconds, until Ctrl-C. Where the output is no terminal it"
            " prints what changed; with -o json a line for each change.",
        ),
        click.option(
            "-A", "--all-namespaces", is_flag=True, help="The playbooks of all namespaces."
        ),
    ):
        command = option(command)
    return command


@command("list", "list -A", "list -A -o wide", "list -A --watch", name="list")
@selects
@outputs(TEXT, WIDE_TABLE, JSON)
@_shows
def listing(
    session: Session, which: Selection, output: str, all_namespaces: bool, watching: bool
) -> int:
    """List the deployed playbooks, in a table.

    Without -p and -N it lists all of the namespace. PAUSED has who paused it, BUDGET USED UP the
    namespaces in which it does not act until it is reset. -o wide asks each worker, and adds held
    alerts, dead letters, contained objects, the last action, NATS, the version and the settings.
    """

    def look() -> List[Document]:
        wanted = _functions(session, which, all_namespaces, quiet=watching)
        if output == WIDE_TABLE:
            return [_whole(session, each) for each in wanted]
        return [_described(session, each) for each in wanted]

    return _shown(look, output, session, watching, _wide if output == WIDE_TABLE else _narrow)


@command("status -p delete -n responders", "status -A -o wide", "status -A -o json", "status -A -w")
@selects
@outputs(TEXT, WIDE_TABLE, JSON)
@_shows
def status(
    session: Session, which: Selection, output: str, all_namespaces: bool, watching: bool
) -> int:
    """Show the state of deployed playbooks.

    It shows the version that runs, topics, settings that differ from their defaults, pauses,
    budgets, contained objects, NATS and its stream, held alerts, dead letters and the last action
    within 24 hours. Without -p and -N it shows all playbooks of the namespace.
    """

    def look() -> List[Document]:
        wanted = _functions(session, which, all_namespaces, quiet=watching)
        return [_whole(session, each) for each in wanted]

    return _shown(look, output, session, watching, _wide if output == WIDE_TABLE else None)


@command("contained -A", "contained -p isolate -n responders", "contained -A -o json")
@selects
@outputs(TEXT, JSON)
@_shows
def contained(
    session: Session, which: Selection, output: str, all_namespaces: bool, watching: bool
) -> int:
    """List what deployed playbooks contain now, and when that ends.

    Without -p and -N it lists what the playbooks of the namespace contain, wherever that is. One
    object is released by 'falco-playbook undo OBJECT -n NAMESPACE -A'.
    """

    def look() -> List[Document]:
        wanted = _functions(session, which, all_namespaces, quiet=watching)
        found = [one for each in wanted for one in document.of_contained(session, each)]
        if wanted and not found and not watching:
            tell("", [NOTHING_CONTAINED])
        return found

    return _shown(look, output, session, watching, _contained, none=NOTHING_CONTAINED)


def _shown(
    look: Callable[[], List[Document]],
    output: str,
    session: Session,
    watching: bool,
    view: Optional[View],
    *,
    none: str = "there are no playbooks",
) -> int:
    """``view``: the table; without one a paragraph for each. ``none``: what a look that goes on
    says where it found nothing."""
    if watching:
        return watch(lambda: _text(look(), output, view) or none, sleep=session.sleep)
    found = look()
    if output == JSON:
        print_json(found)
    elif found and view:
        show_table(*view(found))
    elif found:
        print(_text(found, output, view))
    return 0


def _text(found: List[Document], output: str, view: Optional[View]) -> str:
    """Empty where nothing was found."""
    if output == JSON:
        return json.dumps(found)
    if found and view:
        return table(*view(found)).rstrip("\n")
    return "\n\n".join(map(paragraph, found))


def _narrow(found: List[Document]) -> Table:
    return COLUMNS, [row(each) for each in found]


def _wide(found: List[Document]) -> Table:
    return WIDE, [wide_row(each) for each in found]


def _contained(found: List[Document]) -> Table:
    return CONTAINED, [contained_row(each) for each in found]


def _described(session: Session, function: Manifest) -> Document:
    return document.described(session, function, OfLedger.of(session, function))


def _whole(session: Session, function: Manifest) -> Document:
    ledger = OfLedger.of(session, function)
    return {
        **document.described(session, function, ledger),
        **document.contained(session, function, ledger),
        **document.of_worker(session.cluster, function),
    }


def _functions(
    session: Session, which: Selection, all_namespaces: bool, *, quiet: bool
) -> List[Manifest]:
    """``quiet``: do not say that there are none. Raises DeploymentError where the one that is
    wanted is not there."""
    both = all_namespaces and which.namespace is not None
    which.check(*(["-A is not allowed with -n"] if both else []), required=False)
    namespace = "" if all_namespaces else session.namespace(which)
    found = functions(session.cluster, namespace)
    wanted = [f for f in found if which.function in ("", f["metadata"]["name"])]
    where = f"in namespace {namespace}" if namespace else "in this cluster"
    if which.function and not wanted:
        there = in_others(session.cluster, which.function)
        raise DeploymentError(f"there is no Function {which.function} {where}{there}")
    if not wanted and not quiet:
        tell("", [f"there are no playbooks {where}"])
    return sorted(wanted, key=lambda f: (f["metadata"]["namespace"], f["metadata"]["name"]))
