"""The dead letters of one function, as its stream has them: read, put back, dropped."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from typing import Any, AsyncIterator, Awaitable, Callable, Dict, Mapping, Optional, Sequence

from playbooks.engines.worker.function import (
    DEAD_LETTER_STREAM,
    DEAD_LETTERS,
    INBOX_STREAM,
    INBOXES,
    Function,
)
from playbooks.engines.worker.nats.delivery import RELEASED_BY
from playbooks.engines.worker.nats.jetstream import NOT_FOUND, ApiError, JetStream, Unusable
from playbooks.engines.worker.work.dead_letters import carried, plain


class CannotBeDone(Exception):
    """What was asked for cannot be done. The words say why."""


@dataclass(frozen=True)
class Letter:
    """``sequence`` in the stream of dead letters is its id. ``stored``: when it was given up."""

    sequence: int
    stored: str
    headers: Mapping[str, str]
    body: bytes

    @classmethod
    def of(cls, message: Mapping[str, Any]) -> Letter:
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


Settle = Callable[[Letter], Awaitable[Dict[str, str]]]


class Desk:
    """The dead letters of one function, oldest first.

    The subject holds its name alone: letters of another namespace's are passed over. Those of
    another uid are of an earlier Function of this name, or of another cluster's: they are shown,
    and put back only when they are named. ``by``: the person who asks, for the record.
    """

    def __init__(self, jetstream: JetStream, function: Function, *, by: str) -> None:
        self._by = by
        self._jetstream = jetstream
        self._function = function
        self._stream = ""

    async def open(self) -> None:
        self._stream = await self._jetstream.stream(DEAD_LETTERS, DEAD_LETTER_STREAM)

    async def letters(self) -> AsyncIterator[Letter]:
        sequence, subject = 1, self._function.dead_letters
        while True:
            letter = await self._get({"seq": sequence, "next_by_subj": subject})
            if letter is None:
                return
            if letter.says("Function") == f"{self._function.namespace}/{self._function.name}":
                yield letter
            sequence = letter.sequence + 1

    def is_own(self, letter: Letter) -> bool:
        return letter.says("Function-Uid") == self._function.uid

    async def put_back(self, sequences: Sequence[int]) -> AsyncIterator[Dict[str, Any]]:
        """What became of each: of those, or of all where there are none."""
        chosen = await self._chosen(sequences)
        await self._jetstream.stream(INBOXES, INBOX_STREAM)
        for sequence, wanted in chosen.items():
            yield {"id": sequence, **await self._settle(sequence, wanted, self._back)}

    async def drop(
        self, sequences: Sequence[int], note: Callable[[Letter], None]
    ) -> AsyncIterator[Dict[str, Any]]:
        """The same without putting anything back. Nothing is removed that ``note`` did not take."""

        async def noted(letter: Letter) -> Dict[str, str]:
            note(letter)
            await self._remove(letter.sequence)
            return {"status": "dropped", "why": f"it was {letter.says('Reason')}"}

        for sequence, wanted in (await self._chosen(sequences)).items():
            yield {"id": sequence, **await self._settle(sequence, wanted, noted)}

    async def _chosen(self, sequences: Sequence[int]) -> Dict[int, bool]:
        """In their order, and whether they are meant.

        They are looked for first: what dies again meanwhile stays dead.
        """
        found = {letter.sequence: self.is_own(letter) async for letter in self.letters()}
        unknown = sorted(set(sequences) - set(found))
        if unknown:
            name = f"{self._function.namespace}/{self._function.name}"
            raise CannotBeDone(
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
            why = "somebody else put it back or dropped it, or its time was over"
            return {"status": "gone", "why": why}
        return await settle(letter)

    async def _back(self, letter: Letter) -> Dict[str, str]:
        if letter.says("Cut"):
            why = f"cut, because its {letter.says('Cut')} did not fit: it is no alert any more"
            return {"status": "kept", "why": why}
        return {"status": "redelivered", "as": await self._store(letter)}

    async def _store(self, letter: Letter) -> str:
        """Store it again, then remove it: the stream, and the sequence that it got."""
        # One message, also where it was stored before and then could not be removed.
        name = f"dead-{self._stream}-{letter.sequence}-{letter.stored}"
        headers = {**carried(letter.headers), RELEASED_BY: plain(self._by), "Nats-Msg-Id": name}
        stored = await self._jetstream.store(self._function.inbox, letter.body, headers)
        if "seq" not in stored:
            raise CannotBeDone(
                f"{letter.sequence} is not put back: no stream keeps it, but {stored}"
            )
        place = f"{stored['stream']}:{stored['seq']}"
        try:
            await self._remove(letter.sequence)
        except Exception as error:
            raise CannotBeDone(
                f"{letter.sequence} is put back as {place}, and is a dead letter still, because it"
                f" cannot be removed: {error}"
            ) from error
        return place

    async def _remove(self, sequence: int) -> None:
        try:
            await self._call("DELETE", {"seq": sequence, "no_erase": True})
        except ApiError:
            # The server has several words for one that is gone already.
            if await self._get({"seq": sequence}) is not None:
                raise

    async def _get(self, which: Mapping[str, Any]) -> Optional[Letter]:
        try:
            found = await self._call("GET", which)
        except ApiError as error:
            if error.status == NOT_FOUND:
                return None
            raise
        return Letter.of(found["message"])

    async def _call(self, verb: str, body: Mapping[str, Any]) -> Dict[str, Any]:
        what = f"STREAM.MSG.{verb}.{self._stream}"
        try:
            return await self._jetstream.call(what, body)
        except Unusable as error:
            # A right that the worker itself does without.
            raise CannotBeDone(f"{error} ($JS.API.{what})") from error
