"""The blast radius: how much a playbook may do within a window."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional, Tuple

from playbooks.core.instant import duration
from playbooks.core.settings import DNS_NAME, Setting, Settings, or_off, whole_number


def share(value: str) -> float:
    digits, percent = value[:-1], value[-1:]
    if percent != "%" or not re.fullmatch("[0-9]{1,3}", digits) or not 1 <= int(digits) <= 100:
        raise ValueError("a share from 1% to 100%")
    return int(digits) / 100


# The book is one object of the cluster, of at most 1 MiB; an action takes 150 bytes of it at most.
_MOST = 5_000


def object_name(value: str) -> Optional[Tuple[str, str]]:
    """``namespace/name`` or a name, or nothing. The namespace is empty where none is given."""
    namespace, slash, name = value.rpartition("/")
    if value and not (DNS_NAME.fullmatch(name) and (DNS_NAME.fullmatch(namespace) or not slash)):
        raise ValueError("the name of a ConfigMap, or namespace/name")
    return (namespace, name) if value else None


_SUFFIX = "-ledger"


def ledger_name(function: str) -> str:
    """The ConfigMap of a function that is given none."""
    return f"{function}{_SUFFIX}"


def function_of(ledger: str) -> str:
    """Whose own a ConfigMap of this name is; empty for one that a person named otherwise."""
    return ledger[: -len(_SUFFIX)] if ledger.endswith(_SUFFIX) else ""


LEDGER = Setting(
    "LEDGER",
    object_name,
    "",
    "ConfigMap that keeps pause and budgets, as a name or `namespace/name`; by default"
    " `falco-<playbook>-ledger` beside the function",
)

SETTINGS = (
    Setting(
        "MAX_ACTIONS",
        or_off(whole_number(1, _MOST)),
        "10",
        "Actions within `WINDOW` in one namespace, at most; then its budget is used up until"
        " `falco-playbook reset`. Or `off`",
    ),
    Setting(
        "MAX_ACTIONS_ALL",
        or_off(whole_number(1, _MOST)),
        "30",
        "The same in all namespaces together, not counting the first action in each. What is over"
        " it waits until the window allows it. A third is kept for Critical and above. Or `off`",
    ),
    Setting("WINDOW", duration(60, 86400), "10m", "The time over which actions are counted"),
    Setting(
        "MAX_PER_OWNER",
        or_off(share),
        "50%",
        "Share of the pods of one workload that is deleted or isolated within `WINDOW`, at most;"
        " one is always allowed, and what is over it waits until the window allows it. Or `off`",
    ),
    Setting(
        "MAX_NODES",
        or_off(whole_number(1, _MOST)),
        "1",
        "Nodes that the playbook keeps pods away from at a time, at most. Or `off`",
    ),
    Setting(
        "ESCALATE_AFTER",
        or_off(whole_number(1, 1000)),
        "off",
        "How often a rule may come again about pods of one controller within six times `WINDOW`,"
        " each time after an action upon another of them; then its alerts are held for a person."
        " Or `off`",
    ),
    LEDGER,
)


# Windows for which it is remembered what a rule was acted upon for: within one, MAX_PER_OWNER lets
# the next pod of a small workload wait until the last one is forgotten.
RECURRING_WINDOWS = 6

# Of what may be done in all, one part of so many is for what is urgent alone.
RESERVED = 3


@dataclass(frozen=True)
class Limits:
    """``window`` in seconds; None: no limit. ``in_all`` does not count the first action of each
    namespace within the window, which is its own whatever others do. ``again``: how often a rule
    may come again about pods of one controller."""

    in_namespace: Optional[int]
    in_all: Optional[int]
    per_owner: Optional[float]
    nodes: Optional[int]
    window: float
    again: Optional[int] = None

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        return cls(
            settings["MAX_ACTIONS"],
            settings["MAX_ACTIONS_ALL"],
            settings["MAX_PER_OWNER"],
            settings["MAX_NODES"],
            settings["WINDOW"],
            settings["ESCALATE_AFTER"],
        )

    def shared(self, *, urgent: bool) -> Optional[int]:
        """How many actions all namespaces may share. ``urgent``: of Critical and above."""
        if self.in_all is None or urgent:
            return self.in_all
        return self.in_all - self.in_all // RESERVED

    @property
    def recurring(self) -> float:
        """Seconds within which a rule comes again."""
        return self.window * RECURRING_WINDOWS

    @property
    def counting(self) -> bool:
        """Whether anything has to be written down."""
        limits = (self.in_namespace, self.in_all, self.per_owner, self.again)
        return any(limit is not None for limit in limits)
