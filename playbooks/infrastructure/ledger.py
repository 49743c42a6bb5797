"""The ledger of a playbook, kept in a store with optimistic locking.

It holds across replicas, restarts and processes: what is not written has not been granted.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Callable, Iterator, List, Mapping, Optional, Sequence, Tuple, TypeVar

from playbooks.core.action import Answer
from playbooks.core.cluster.conflicts import until_written
from playbooks.core.errors import (
    Conflict,
    GuardUnanswered,
    NotFound,
    PlaybookError,
    RetryableError,
    Unexpected,
    ours,
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
# What is written is granted from an older one, too: the store refuses where somebody wrote since.
FRESH = 2.0

# Seconds that changes wait, at most, for as many changes as were under way at the last one.
GATHERING = 0.02


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
class _Change:
    """``what`` is given the book, and the ledger's own clock in seconds."""

    what: Callable[[Book, float], Any]
    done: bool = False
    result: Any = None
    error: Optional[PlaybookError] = field(
        default_factory=lambda: Unexpected("the one who wrote the ledger was stopped")
    )


class StoredLedger(Ledger):
    """Threads may share it: changes that come while the book is being written are then written
    together, in one go. In a storm they wait a moment for those who are about to ask again, also
    where nothing is written in the end: a write is most of what an action costs the API server, and
    costs the same for one and for all."""

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
        self._waiting: List[_Change] = []
        # Whether somebody is at the book, and how many changes are to be written together.
        self._busy, self._together = False, 1
        lock = threading.Lock()
        self._came, self._freed = threading.Condition(lock), threading.Condition(lock)
        self._known: Optional[_Known] = None

    def ask(self, request: Request, limits: Limits, now: Instant) -> Answer:
        since = self._clock()

        def what(book: Book, clock: float) -> Tuple[Answer, float]:
            return book.ask(request, limits, after(now, max(0.0, clock - since))), clock

        return self._in_time(*self._changed(what))

    def look(self, request: Request, limits: Limits, now: Instant) -> Answer:
        with self._alone():
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
        return Standing(_paused(book), tuple(sorted(book.tripped)), tuple(sorted(book.undone)))

    def contained(self) -> Mapping[str, Contained]:
        with self._alone(), _asked():
            self._known = None
            self._known = self._current()
            return self._known.book.contained

    def contain(self, contained: Contained) -> None:
        self._note(lambda book: book.contain(contained))

    def release(self, uid: str, keys: Sequence[str]) -> None:
        self._note(lambda book: book.release(uid, keys))

    def tell(self, what: str, now: Instant) -> bool:
        return self._note(lambda book: book.tell(what, now))

    def untell(self, what: str) -> None:
        self._note(lambda book: book.untell(what))

    def _note(self, what: Callable[[Book], T]) -> T:
        with _asked():
            return self._changed(lambda book, _: what(book))

    def _changed(self, what: Callable[[Book, float], T]) -> T:
        """Its result, once it is written. Raises a PlaybookError."""
        change = _Change(what)
        with self._came:
            self._waiting.append(change)
            self._came.notify()
            self._freed.wait_for(lambda: change.done or not self._busy)
            writes = not change.done
            self._busy = self._busy or writes
        if writes:
            together: List[_Change] = []
            try:
                together = self._gathered()
                self._write(together)
            finally:
                self._free(together)
        if change.error is not None:
            raise change.error
        result: T = change.result
        return result

    def _gathered(self) -> List[_Change]:
        """As many as were under way when the book was written last."""
        with self._came:
            self._came.wait_for(lambda: len(self._waiting) >= self._together, GATHERING)
            together, self._waiting = self._waiting, []
            return together

    def _write(self, together: List[_Change]) -> None:
        try:
            for change, result in zip(together, self._results(together)):
                change.result, change.error = result, None
        except Exception as error:
            for change in together:
                change.error = ours(error, "the ledger cannot be read: ")

    def _free(self, together: Sequence[_Change] = ()) -> None:
        with self._freed:
            for change in together:
                change.done = True
            if together:
                self._together = len(together) + len(self._waiting)
            self._busy = False
            self._freed.notify_all()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self._freed:
            self._freed.wait_for(lambda: not self._busy)
            self._busy = True
        try:
            yield
        finally:
            self._free()

    def _results(self, changes: List[_Change]) -> List[Any]:
        def attempt() -> List[Any]:
            # Known again only once the results stand: until then the book says what is not written.
            known, self._known = self._known or self._current(), None
            results = self._asked_of(known, changes)
            if not known.book.changed and not self._is_fresh(known):
                known = self._read(known)
                results = self._asked_of(known, changes)
            self._known = self._written(known) if known.book.changed else known
            return results

        return _until_written(attempt, self._sleep)

    def _in_time(self, answer: Answer, asked_at: float) -> Answer:
        """A place is counted from when it was asked for: granted much later, its window would be
        over too soon. Asking again counts it anew."""
        took = self._clock() - asked_at
        if answer.reason or took <= GRAIN:
            return answer
        raise Conflict(f"the ledger took {took:.0f} s to be written, more than {GRAIN}")

    def _asked_of(self, known: _Known, changes: Sequence[_Change]) -> List[Any]:
        clock = self._clock()
        return [change.what(known.book, clock) for change in changes]

    def _written(self, known: _Known) -> _Known:
        text = known.book.text()
        try:
            version = self._store.write(text, version=known.version)
        except NotFound as error:
            # It may be there again, as another one.
            raise Conflict(str(error)) from error
        known.book.changed = False
        return _Known(text, version, known.book, self._clock())

    def _current(self) -> _Known:
        known = self._known
        return known if known is not None and self._is_fresh(known) else self._read(known)

    def _is_fresh(self, known: _Known) -> bool:
        return self._clock() - known.at <= FRESH

    def _read(self, known: Optional[_Known]) -> _Known:
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
