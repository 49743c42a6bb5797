"""The dead letters of one function, as its stream has them: listed, redelivered, dropped."""

from __future__ import annotations

import argparse
import base64
import json
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import Any, AsyncIterator, Awaitable, Callable, Dict, Mapping, Optional, Sequence

from playbooks.core.settings import Settings
from playbooks.engines.outcome_log import write_line
from playbooks.engines.worker.function import (
    DEAD_LETTER_STREAM,
    DEAD_LETTERS,
    INBOX_STREAM,
    INBOXES,
    Function,
)
from playbooks.engines.worker.nats.delivery import RELEASED_BY
from playbooks.engines.worker.nats.headers import carried, plain
from playbooks.engines.worker.nats.jetstream import NOT_FOUND, ApiError, JetStream, Unusable
from playbooks.engines.worker.operator.connection import connected, function_of
from playbooks.engines.worker.operator.protocol import RequestFailed

# Characters of a dropped alert that the log has.
SHOWN = 4096

# Standard error of the worker, which is its container's log. Ours goes to the caller.
WORKERS_LOG = "/proc/1/fd/2"


@dataclass(frozen=True)
class DeadLetter:
    """Its id is its ``sequence`` in the stream. ``stored``: when the alert was given up."""

    sequence: int
    stored: str
    headers: Mapping[str, str]
    body: bytes

    @classmethod
    def of(cls, message: Mapping[str, Any]) -> DeadLetter:
        """Source: https://docs.nats.io/reference/reference-protocols/nats_api_reference"""
        _, _, lines = base64.b64decode(message.get("hdrs", "")).partition(b"\r\n")
        headers = dict(BytesHeaderParser().parsebytes(lines).items())
        body = base64.b64decode(message.get("data", ""))
        return cls(message["seq"], message["time"], headers, body)

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

    The subject holds the function's name alone: those of another namespace are left out. Those of
    another uid belong to an earlier Function of this name, or to another cluster's: they are
    listed, and redelivered or dropped only when they are named. ``by``: the person who asks.
    """

    def __init__(self, jetstream: JetStream, function: Function, *, by: str) -> None:
        self._by = by
        self._jetstream = jetstream
        self._function = function
        self._stream = ""

    async def open(self) -> None:
        self._stream = await self._jetstream.stream(DEAD_LETTERS, DEAD_LETTER_STREAM)

    async def all(self) -> AsyncIterator[DeadLetter]:
        sequence, subject = 1, self._function.dead_letters
        while True:
            letter = await self._get({"seq": sequence, "next_by_subj": subject})
            if letter is None:
                return
            if letter.says("Function") == f"{self._function.namespace}/{self._function.name}":
                yield letter
            sequence = letter.sequence + 1

    def is_own(self, letter: DeadLetter) -> bool:
        return letter.says("Function-Uid") == self._function.uid

    async def redeliver(self, sequences: Sequence[int]) -> AsyncIterator[Dict[str, Any]]:
        """What became of each of these, or of all where none is named."""
        chosen = await self._chosen(sequences)
        await self._jetstream.stream(INBOXES, INBOX_STREAM)
        for sequence, wanted in chosen.items():
            yield {"id": sequence, **await self._settle(sequence, wanted, self._back)}

    async def drop(
        self, sequences: Sequence[int], note: Callable[[DeadLetter], None]
    ) -> AsyncIterator[Dict[str, Any]]:
        """Remove them. ``note`` is called before each, and where it raises nothing is removed."""

        async def noted(letter: DeadLetter) -> Dict[str, str]:
            note(letter)
            await self._remove(letter.sequence)
            return {"status": "dropped", "why": f"it was {letter.says('Reason')}"}

        for sequence, wanted in (await self._chosen(sequences)).items():
            yield {"id": sequence, **await self._settle(sequence, wanted, noted)}

    async def _chosen(self, sequences: Sequence[int]) -> Dict[int, bool]:
        """Those to be settled, in order, and whether each is meant.

        They are listed first: an alert that is given up again meanwhile is not taken twice.
        """
        found = {letter.sequence: self.is_own(letter) async for letter in self.all()}
        unknown = sorted(set(sequences) - set(found))
        if unknown:
            name = f"{self._function.namespace}/{self._function.name}"
            raise RequestFailed(
                f"{', '.join(map(str, unknown))}: no dead letter of {name}, expected ids as they"
                " are listed; nothing was done"
            )
        return {one: found[one] or bool(sequences) for one in sorted(set(sequences or found))}

    async def _settle(self, sequence: int, wanted: bool, settle: Settle) -> Dict[str, str]:
        if not wanted:
            why = "of an earlier Function of this name, or of another cluster's: name its id"
            return {"status": "kept", "why": why}
        letter = await self._get({"seq": sequence})
        if letter is None:
            why = "somebody else redelivered or dropped it, or the stream let it go"
            return {"status": "gone", "why": why}
        return await settle(letter)

    async def _back(self, letter: DeadLetter) -> Dict[str, str]:
        if letter.says("Cut"):
            why = f"its {letter.says('Cut')} did not fit and were cut: it is no alert any more"
            return {"status": "kept", "why": why}
        return {"status": "redelivered", "as": await self._store(letter)}

    async def _store(self, letter: DeadLetter) -> str:
        """Store it again, then remove it: the stream, and the sequence that it got."""
        # One message, also where it was stored before and then could not be removed.
        name = f"dead-{self._stream}-{letter.sequence}-{letter.stored}"
        headers = {**carried(letter.headers), RELEASED_BY: plain(self._by), "Nats-Msg-Id": name}
        stored = await self._jetstream.store(self._function.inbox, letter.body, headers)
        if "seq" not in stored:
            raise RequestFailed(
                f"{letter.sequence} is not redelivered: no stream stores it, the answer is {stored}"
            )
        place = f"{stored['stream']}:{stored['seq']}"
        try:
            await self._remove(letter.sequence)
        except Exception as error:
            raise RequestFailed(
                f"{letter.sequence} is redelivered as {place}, and is still a dead letter, because"
                f" it cannot be removed: {error}"
            ) from error
        return place

    async def _remove(self, sequence: int) -> None:
        try:
            await self._call("DELETE", {"seq": sequence, "no_erase": True})
        except ApiError:
            # The server has several words for one that is gone already.
            if await self._get({"seq": sequence}) is not None:
                raise

    async def _get(self, which: Mapping[str, Any]) -> Optional[DeadLetter]:
        try:
            found = await self._call("GET", which)
        except ApiError as error:
            if error.status == NOT_FOUND:
                return None
            raise
        return DeadLetter.of(found["message"])

    async def _call(self, verb: str, body: Mapping[str, Any]) -> Dict[str, Any]:
        what = f"STREAM.MSG.{verb}.{self._stream}"
        try:
            return await self._jetstream.call(what, body)
        except Unusable as error:
            # A right that the worker itself does not need.
            raise RequestFailed(f"{error} ($JS.API.{what})") from error


async def listed(asked: argparse.Namespace, settings: Settings) -> AsyncIterator[Dict[str, Any]]:
    """Each dead letter; ``own`` is false for one of another uid."""
    found = await _opened(asked, settings, by="")
    async for letter in found.all():
        yield {**letter.to_dict(), "own": found.is_own(letter)}


async def redelivered(
    asked: argparse.Namespace, settings: Settings
) -> AsyncIterator[Dict[str, Any]]:
    found = await _opened(asked, settings, by=asked.by)
    async for done in found.redeliver(asked.ids):
        yield done


async def dropped(asked: argparse.Namespace, settings: Settings) -> AsyncIterator[Dict[str, Any]]:
    found = await _opened(asked, settings, by=asked.by)
    async for done in found.drop(asked.ids, _note(asked.log, asked.by)):
        yield done


async def _opened(asked: argparse.Namespace, settings: Settings, *, by: str) -> DeadLettersOf:
    connection = await connected(settings, "falco-playbook dead")
    function = function_of(settings, asked.uid)
    found = DeadLettersOf(JetStream.of(connection, settings), function, by=by)
    await found.open()
    return found


def _note(path: str, who: str) -> Callable[[DeadLetter], None]:
    """Writes into the worker's log what is dropped, and by whom. Raises RequestFailed."""

    def note(letter: DeadLetter) -> None:
        line = {
            "level": "warning",
            "message": f"dead letter {letter.sequence} is dropped",
            "by": who,
            "reason": letter.says("Reason"),
            "origin": letter.says("Origin"),
            "body": letter.body.decode("utf-8", "replace")[:SHOWN],
        }
        try:
            with Path(path).open("a", encoding="utf-8") as log:
                write_line(json.dumps(line), log)
        except OSError as error:
            raise RequestFailed(
                f"{letter.sequence} is not dropped, because it cannot be logged: {error}"
            ) from error

    return note
