"""The arguments of undo and sweep."""

from __future__ import annotations

import argparse
import re
from typing import List, Tuple

from playbooks.core.ledger.limits import object_name
from playbooks.deployment.request import catalogue

COMMANDS = ("undo", "sweep")

_TARGET = re.compile(r"(pod|node)/([a-z0-9][a-z0-9.-]{0,252})", re.ASCII)


def add_undo(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("target", metavar="OBJECT", help="pod/NAME, in the namespace -n, or node/NAME")
    add("--force", action="store_true", help="also undo what somebody changed since")
    add("--by", default="", help="who wants it, for the record; default: kubectl auth whoami")
    _add_ledger(command, "that is told to leave the object alone for 30 minutes")


def add_sweep(command: argparse.ArgumentParser) -> None:
    _add_ledger(command, "that tells whether the playbook is paused")


def problems(typed: argparse.Namespace) -> List[str]:
    found = []
    if typed.command == "undo" and not _TARGET.fullmatch(typed.target):
        found.append(f"{typed.target!r} cannot be undone, expected pod/NAME or node/NAME")
    elif typed.command == "sweep" or typed.playbook is not None:
        kind = target(typed)[0]
        known = [each.name for each in catalogue.containing(kind)]
        if typed.playbook not in known:
            what = f" for a {kind}" if kind else ""
            found.append(f"-p is {typed.playbook!r}, expected {' or '.join(known)}{what}")
    return found + _ledger_problems(typed.ledger)


def _ledger_problems(given: str) -> List[str]:
    try:
        place = object_name("" if given == "off" else given)
    except ValueError:
        place = ("", given)
    if place is None or place[0]:
        return []
    return [f"--ledger is {given!r}, expected NAMESPACE/NAME of a ConfigMap, or off"]


def target(typed: argparse.Namespace) -> Tuple[str, str]:
    """Kind and name; empty for a sweep."""
    kind, _, name = getattr(typed, "target", "").partition("/")
    return kind, name


def _add_ledger(command: argparse.ArgumentParser, what: str) -> None:
    command.add_argument(
        "--ledger",
        metavar="NAMESPACE/NAME",
        default="",
        help=f"the ConfigMap {what}; default: that of each Function of the playbook; or off",
    )
