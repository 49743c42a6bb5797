"""Optimistic locking: read, change, write with the resourceVersion that was read."""

from __future__ import annotations

from typing import Callable, TypeVar

from playbooks.core.errors import Conflict

# Times an object is read again because somebody else wrote it first.
ATTEMPTS = 5

T = TypeVar("T")
R = TypeVar("R")


def until_written(
    attempt: Callable[[], T],
    *,
    attempts: int = ATTEMPTS,
    between: Callable[[int], None] = lambda _: None,
) -> T:
    """What ``attempt`` returns. It is called again while it raises Conflict, ``attempts`` times in
    all; the last Conflict is raised.

    ``between``: called before each further attempt with the number of failed ones, to wait or to
    read what is written next, where ``attempt`` itself does not.
    """
    for number in range(1, attempts):
        try:
            return attempt()
        except Conflict:
            between(number)
    return attempt()


def written(found: T, write: Callable[[T], R], again: Callable[[], T]) -> R:
    """What ``write`` returns of what was found; after a Conflict, of what ``again`` reads then."""
    current = found

    def read_again(_: int) -> None:
        nonlocal current
        current = again()

    return until_written(lambda: write(current), between=read_again)
