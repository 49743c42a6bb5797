"""The ledger of a playbook, kept in a store with optimistic locking.

It holds across replicas, restarts and processes: what is not written has not been granted.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Callable, Iterator, List, Mapping, Optional, Sequence, TypeVar, Union

from playbooks.core.action import Answer
from playbooks.core.cluster.conflicts import until_written
from playbooks.core.errors import (
    Conflict,
    GuardUnanswered,
    PlaybookError,
    RetryableError,
    Unexpected,
)
from playbooks.core.instant import Instant, after
from playbooks.core.ledger.book import Book, Request
from playbooks.core.ledger.contained import Contained
from playbooks.core.ledger.counts import GRAIN
from playbooks.core.ledger.limits import Limits
from playbooks.core.ports import Ledger, LedgerStore, Standing

T = TypeVar("T")

LOG = logging.getLogger(__name__)

# Times the book is read again because somebody else wrote it first, and the longest pause before.
ATTEMPTS = 12
PAUSE = 0.2

# Seconds for which the book that was read may be answered from where nothing has to be written.
FRESH = 2.0


@dataclass(frozen=True)
class _Known:
    """What was read or written last: the text, its version, and the book that it is.

    ``at``: the ledger's own clock, in seconds, then.
    """

    text: str
    version: str
    book: Book
    at: float


@dataclass
class _Asked:
    """``since``: the ledger's own clock, in seconds, at ``now``."""

    request: Request
    limits: Limits
    now: Instant
    since: float
    answer: Optional[Answer] = None
    error: Optional[PlaybookError] = None

    def at(self, clock: float) -> Instant:
        return after(self.now, max(0.0, clock - self.since))


class StoredLedger(Ledger):
    """Threads may share it: requests that come while the book is being written are then written
    together, in one go."""

    def __init__(
        self,
        store: LedgerStore,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._store = store
        self._clock = clock
        self._sleep = sleep
        self._waiting: List[_Asked] = []
        self._queue, self._writing = threading.Lock(), threading.Lock()
        self._known: Optional[_Known] = None

    def ask(self, request: Request, limits: Limits, now: Instant) -> Answer:
        asked = _Asked(request, limits, now, self._clock())
        with self._queue:
            self._waiting.append(asked)
        with self._writing:
            if asked.answer is None and asked.error is None:
                with self._queue:
                    together, self._waiting = self._waiting, []
                self._settle(together)
        if asked.answer is None:
            assert asked.error is not None
            raise asked.error
        return asked.answer

    def look(self, request: Request, limits: Limits, now: Instant) -> Answer:
        with self._writing:
            self._known = self._current()
            # In a copy: what it then says is not written.
            answer = read(self._known.text).ask(request, limits, now)
        if not answer.reason or not answer.facts:
            return answer
        return replace(answer, facts={**answer.facts, "first": False}, waits=None)

    def check(self) -> None:
        read(self._store.writable())

    def paused(self) -> str:
        return paused(self._store)

    def standing(self) -> Standing:
        book = read(self._store.read()[0])
        return Standing(_paused(book), tuple(sorted(book.tripped)))

    def contained(self) -> Mapping[str, Contained]:
        with self._writing, _asked():
            self._known = None
            self._known = self._current()
            return self._known.book.contained

    def contain(self, contained: Contained) -> None:
        self._change(lambda book: book.contain(contained))

    def release(self, uid: str, keys: Sequence[str]) -> None:
        self._change(lambda book: book.release(uid, keys))

    def tell(self, what: str, now: Instant) -> bool:
        return self._change(lambda book: book.tell(what, now))

    def untell(self, what: str) -> None:
        self._change(lambda book: book.untell(what))

    def _change(self, what: Callable[[Book], T]) -> T:
        def attempt() -> T:
            known, self._known = self._current(), None
            result = what(known.book)
            self._known = self._written(known) if known.book.changed else known
            return result

        with self._writing, _asked():
            return _until_written(attempt, self._sleep)

    def _settle(self, together: List[_Asked]) -> None:
        for asked in together:
            asked.error = Unexpected("the one who wrote the ledger was stopped")
        try:
            for asked, answer in zip(together, self._answers(together)):
                if isinstance(answer, Answer):
                    asked.answer = answer
                else:
                    asked.error = answer
        except Exception as error:
            for asked in together:
                asked.error = _of_ours(error)

    def _answers(self, together: List[_Asked]) -> List[Union[Answer, PlaybookError]]:
        def attempt() -> List[Union[Answer, PlaybookError]]:
            # Known again only once the answers stand: until then the book says what is not written.
            known, self._known = self._current(), None
            clock = self._clock()
            answers = [known.book.ask(a.request, a.limits, a.at(clock)) for a in together]
            self._known = self._written(known) if known.book.changed else known
            return [self._in_time(answer, clock) for answer in answers]

        return _until_written(attempt, self._sleep)

    def _in_time(self, answer: Answer, asked_at: float) -> Union[Answer, PlaybookError]:
        """A place is counted from when it was asked for: granted much later, its window would be
        over too soon. Asking again counts it anew."""
        took = self._clock() - asked_at
        if answer.reason or took <= GRAIN:
            return answer
        return Conflict(f"the ledger took {took:.0f} s to be written, more than {GRAIN}")

    def _written(self, known: _Known) -> _Known:
        text = known.book.text()
        version = self._store.write(text, version=known.version)
        known.book.changed = False
        return _Known(text, version, known.book, self._clock())

    def _current(self) -> _Known:
        known = self._known
        if known is not None and self._clock() - known.at <= FRESH:
            return known
        text, version = self._store.read()
        book = known.book if known is not None and known.version == version else read(text)
        return _Known(text, version, book, self._clock())


@contextmanager
def _asked() -> Iterator[None]:
    """What cannot be read or written now may be later: nothing is done without it."""
    try:
        yield
    except RetryableError:
        raise
    except PlaybookError as error:
        raise GuardUnanswered(f"the ledger cannot be asked: {error}") from error


def _of_ours(error: Exception) -> PlaybookError:
    if isinstance(error, PlaybookError):
        return error
    unexpected = Unexpected(f"the ledger cannot be read: {type(error).__name__}: {error}")
    unexpected.__cause__ = error
    return unexpected


def read(text: str) -> Book:
    """Logs what is dropped of it. Raises Unexpected where the text is no book."""
    try:
        book = Book(text)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise Unexpected(
            f"the ledger cannot be read: {error} ('falco-playbook reset' creates it again)"
        ) from error
    for entry in book.dropped:
        LOG.warning(f"the ledger has an entry that cannot be read and is dropped: {entry}")
    return book


def paused(store: LedgerStore) -> str:
    """Who paused the playbook and when, or empty. Raises a PlaybookError."""
    return _paused(read(store.read()[0]))


def _paused(book: Book) -> str:
    found = book.paused
    return f"paused by {found.get('by', '')} at {found.get('at', '')}" if found else ""


def change(store: LedgerStore, what: Callable[[Book], T], *, anew: bool = False) -> T:
    """Write the book as a person asks for. ``anew``: where it cannot be read, a new one. Raises
    Conflict where others keep writing it."""

    def attempt() -> T:
        text, version = store.read()
        try:
            book = read(text)
        except Unexpected as error:
            if not anew:
                raise
            LOG.warning(f"it is reset, not paused and with nothing counted: {error}")
            book = Book()
            book.changed = True
        result = what(book)
        if book.changed:
            store.write(book.text(), version=version)
        return result

    return _until_written(attempt, time.sleep)


def _until_written(attempt: Callable[[], T], sleep: Callable[[float], None]) -> T:
    def wait(failed: int) -> None:
        sleep(random.uniform(0, PAUSE) * (failed - 1) / ATTEMPTS)

    try:
        return until_written(attempt, attempts=ATTEMPTS, between=wait)
    except Conflict as error:
        raise Conflict(f"the ledger was written by others, {ATTEMPTS} times") from error
