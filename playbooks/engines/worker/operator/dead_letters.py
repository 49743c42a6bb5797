"""The dead letters of one function, as its stream has them: listed, redelivered, dropped."""

from __future__ import annotations

import argparse
import base64
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, AsyncIterator, Awaitable, Callable, Dict, Mapping, Optional, Sequence

from nats.js.api import PubAck, RawStreamMsg

from playbooks.core.instant import Instant
from playbooks.core.redaction.redaction import Redaction
from playbooks.core.settings import Settings
from playbooks.engines.log import write_line
from playbooks.engines.worker.function import DEAD_LETTERS, INBOXES, Function
from playbooks.engines.worker.nats.delivery import carried, plain
from playbooks.engines.worker.nats.jetstream import ApiError, JetStream, Overtaken
from playbooks.engines.worker.operator.connection import connected, function_of
from playbooks.engines.worker.operator.protocol import RequestFailed
from playbooks.engines.worker.settings import RELEASE_KEY
from playbooks.engines.worker.work.releases import Releases

# Times that an alert is signed anew because another message took its place in the stream.
ATTEMPTS = 200

# A sequence that no stream has: the server then says which its last one is.
NO_SEQUENCE = 2**53

# Characters of a dropped alert that the log has.
SHOWN = 4096

# Standard error of the worker, which is its container's log. Ours goes to the caller.
WORKERS_LOG = "/proc/1/fd/2"


@dataclass(frozen=True)
class DeadLetter:
    """Its id is its ``sequence`` in the stream. ``stored``: when the alert was given up."""

    subject: str
    sequence: int
    stored: str
    headers: Mapping[str, str]
    body: bytes

    @classmethod
    def of(cls, message: RawStreamMsg) -> DeadLetter:
        stored = message.time.isoformat().replace("+00:00", "Z") if message.time else ""
        return cls(
            message.subject or "",
            message.seq or 0,
            stored,
            message.headers or {},
            message.data or b"",
        )

    def says(self, name: str) -> str:
        return self.headers.get(f"Falco-{name}", "")

    def to_dict(self) -> Dict[str, Any]:
        return {
            "id": self.sequence,
            "stored": self.stored,
            "headers": dict(self.headers),
            "body": base64.b64encode(self.body).decode("ascii"),
        }


Settle = Callable[[DeadLetter], Awaitable[Dict[str, str]]]


class DeadLettersOf:
    """The dead letters of one function, oldest first.

    The subject holds the function's name, and where a target is known a digest of it: those of
    another namespace are left out, and so is one that a newer one of its subject replaces. Those of
    another uid belong to an earlier Function of this name, or to another cluster's: they are
    listed, and redelivered or dropped only when they are named. ``by``: the person who asks.
    """

    def __init__(
        self,
        jetstream: JetStream,
        function: Function,
        *,
        by: str,
        key: str = "",
        now: Callable[[], Instant] = lambda: Instant(time.time_ns()),
    ) -> None:
        self._by = plain(by)
        self._releases = Releases(key, function.uid)
        self._now = now
        self._jetstream = jetstream
        self._function = function
        self._stream = ""

    async def open(self) -> None:
        self._stream = await self._jetstream.stream(DEAD_LETTERS)

    async def all(self) -> AsyncIterator[DeadLetter]:
        own = self._function.dead_letters
        ahead = {subject: await self._next(subject, 1) for subject in (own, f"{own}.*")}
        while True:
            found = [(dead.sequence, subject, dead) for subject, dead in ahead.items() if dead]
            if not found:
                return
            sequence, subject, dead = min(found)
            if dead.says("Function") == str(self._function) and not await self._replaced(dead):
                yield dead
            ahead[subject] = await self._next(subject, sequence + 1)

    async def _next(self, subject: str, sequence: int) -> Optional[DeadLetter]:
        message = await self._jetstream.message(self._stream, sequence, subject)
        return DeadLetter.of(message) if message is not None else None

    async def _replaced(self, dead: DeadLetter) -> bool:
        if dead.subject == self._function.dead_letters:
            return False
        return await self._next(dead.subject, dead.sequence + 1) is not None

    def is_own(self, dead: DeadLetter) -> bool:
        return dead.says("Function-Uid") == self._function.uid

    async def redeliver(self, sequences: Sequence[int]) -> AsyncIterator[Dict[str, Any]]:
        """What became of each of these, or of all where none is named."""
        if not self._releases.can_sign:
            raise RequestFailed(
                "this worker has no key to sign releases with: deploy it again; nothing was done"
            )
        chosen = await self._chosen(sequences)
        self._inbox = await self._jetstream.stream(INBOXES)
        for sequence, wanted in chosen.items():
            yield {"id": sequence, **await self._settle(sequence, wanted, self._back)}

    async def drop(
        self, sequences: Sequence[int], note: Callable[[DeadLetter], None]
    ) -> AsyncIterator[Dict[str, Any]]:
        """Remove them. ``note`` is called before each, and where it raises nothing is removed."""

        async def noted(dead: DeadLetter) -> Dict[str, str]:
            note(dead)
            await self._remove(dead)
            return {"status": "dropped", "why": f"it was {dead.says('Reason')}"}

        for sequence, wanted in (await self._chosen(sequences)).items():
            yield {"id": sequence, **await self._settle(sequence, wanted, noted)}

    async def _chosen(self, sequences: Sequence[int]) -> Dict[int, bool]:
        """Those to be settled, in order, and whether each is meant.

        They are listed first: an alert that is given up again meanwhile is not taken twice.
        """
        found = {dead.sequence: self.is_own(dead) async for dead in self.all()}
        unknown = sorted(set(sequences) - set(found))
        if unknown:
            raise RequestFailed(
                f"{', '.join(map(str, unknown))}: no dead letter of {self._function}, expected"
                " ids as they are listed; nothing was done"
            )
        return {one: found[one] or bool(sequences) for one in sorted(set(sequences or found))}

    async def _settle(self, sequence: int, wanted: bool, settle: Settle) -> Dict[str, str]:
        if not wanted:
            why = "of an earlier Function of this name, or of another cluster's: name its id"
            return {"status": "kept", "why": why}
        message = await self._jetstream.message(self._stream, sequence)
        if message is None:
            why = "somebody else redelivered or dropped it, or the stream let it go"
            return {"status": "gone", "why": why}
        return await settle(DeadLetter.of(message))

    async def _back(self, dead: DeadLetter) -> Dict[str, str]:
        if dead.says("Cut"):
            why = f"its {dead.says('Cut')} did not fit and were cut: it is no alert any more"
            return {"status": "kept", "why": why}
        return {"status": "redelivered", "as": await self._store(dead)}

    async def _store(self, dead: DeadLetter) -> str:
        """Store it again, then remove it: the stream, and the sequence that it got."""
        # One message, also where it was stored before and then could not be removed.
        name = f"dead-{self._stream}-{dead.sequence}-{dead.stored}"
        stored = await self._signed(dead, {**carried(dead.headers), "Nats-Msg-Id": name})
        place = f"{stored.stream}:{stored.seq}"
        try:
            await self._remove(dead)
        except Exception as error:
            raise RequestFailed(
                f"{dead.sequence} is redelivered as {place}, and is still a dead letter, because"
                f" it cannot be removed: {error}"
            ) from error
        return place

    async def _signed(self, dead: DeadLetter, headers: Mapping[str, str]) -> PubAck:
        """Stored at the place for which it is signed."""
        last = NO_SEQUENCE
        for _ in range(ATTEMPTS):
            release = self._releases.signed(
                self._by, dead.body, stream=self._inbox, sequence=last + 1, now=self._now()
            )
            try:
                return await self._jetstream.store(
                    self._function.inbox, dead.body, {**headers, **release}, last=last
                )
            except Overtaken as error:
                last = error.last
        raise RequestFailed(
            f"{dead.sequence} is not redelivered: {self._inbox} is written too often, try again"
        )

    async def _remove(self, dead: DeadLetter) -> None:
        """And what it replaced, first: nats-server (2.9.10) does not know it as the newest then."""
        while dead.subject != self._function.dead_letters:
            older = await self._next(dead.subject, 1)
            if older is None or older.sequence >= dead.sequence:
                break
            await self._delete(older.sequence)
        await self._delete(dead.sequence)

    async def _delete(self, sequence: int) -> None:
        try:
            await self._jetstream.delete_message(self._stream, sequence)
        except ApiError:
            # The server has several words for one that is gone already.
            if await self._jetstream.message(self._stream, sequence) is not None:
                raise


async def listed(asked: argparse.Namespace, settings: Settings) -> AsyncIterator[Dict[str, Any]]:
    """Each dead letter; ``own`` is false for one of another uid."""
    found = await _opened(asked, settings, by="")
    async for dead in found.all():
        yield {**dead.to_dict(), "own": found.is_own(dead)}


async def redelivered(
    asked: argparse.Namespace, settings: Settings
) -> AsyncIterator[Dict[str, Any]]:
    found = await _opened(asked, settings, by=asked.by)
    async for done in found.redeliver(asked.ids):
        yield done


async def dropped(asked: argparse.Namespace, settings: Settings) -> AsyncIterator[Dict[str, Any]]:
    found = await _opened(asked, settings, by=asked.by)
    async for done in found.drop(asked.ids, _note(asked.log, asked.by, raw=asked.raw)):
        yield done


async def _opened(asked: argparse.Namespace, settings: Settings, *, by: str) -> DeadLettersOf:
    connection = await connected(settings, "falco-playbook dead")
    function = function_of(settings, asked.uid)
    key = settings[RELEASE_KEY.name]
    found = DeadLettersOf(JetStream.of(connection, settings), function, by=by, key=key)
    await found.open()
    return found


def _note(path: str, who: str, *, raw: bool) -> Callable[[DeadLetter], None]:
    """Writes into the worker's log what is dropped, and by whom: redacted, unless it is asked for
    ``raw``. Raises RequestFailed."""

    def note(dead: DeadLetter) -> None:
        body = dead.body.decode("utf-8", "replace") if raw else Redaction().body(dead.body)
        line = {
            "level": "warning",
            "message": f"dead letter {dead.sequence} is dropped",
            "by": who,
            "reason": dead.says("Reason"),
            "origin": dead.says("Origin"),
            "body": body[:SHOWN],
        }
        try:
            with Path(path).open("a", encoding="utf-8") as log:
                write_line(json.dumps(line), log)
        except OSError as error:
            raise RequestFailed(
                f"{dead.sequence} is not dropped, because it cannot be logged: {error}"
            ) from error

    return note
