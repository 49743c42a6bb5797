"""Answers that may not be known: True, False, or None where nothing here tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Iterable, Mapping, Optional

from playbooks.core.cluster.selectors import Labels, Selector

Tristate = Optional[bool]
Manifest = Mapping[str, Any]


@dataclass(frozen=True)
class PolicyTarget:
    """The pod of which it is asked. ``namespace_labels`` None: they were not read."""

    labels: Labels
    namespace: str
    service_account: str
    namespace_labels: Optional[Labels] = None


def every(answers: Iterable[Tristate]) -> Tristate:
    found = list(answers)
    return False if False in found else None if None in found else True


def some(answers: Iterable[Tristate]) -> Tristate:
    found = list(answers)
    return True if True in found else None if None in found else False


def opposite(answer: Tristate) -> Tristate:
    return None if answer is None else not answer


def selects(
    selector: Selector, labels: Labels, known: Callable[[str], bool] = lambda _: True
) -> Tristate:
    """``known``: whether it is known if there is a label of this key, and its value."""
    terms = [(key, Selector({key: value})) for key, value in selector.labels.items()]
    terms += [(each["key"], Selector({}, (each,))) for each in selector.expressions]
    return every(term.selects(labels) if known(key) else None for key, term in terms)


def first_allows(rules: Iterable[Mapping[str, Any]], *allowing: str) -> Tristate:
    """Of rules that are asked one after the other: whether the action of one is ``allowing``. Not
    known where one before it denies, which may be the same."""
    denied = False
    for rule in rules:
        if rule["action"] in allowing:
            return None if denied else True
        denied = denied or rule["action"] == "Deny"
    return False
