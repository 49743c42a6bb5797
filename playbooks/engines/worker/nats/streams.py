"""Which stream keeps the alerts: one that is there, a new one, or none and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable, List, Tuple, Union

from nats.js.api import StreamConfig

LIMITS = "limits"


@dataclass(frozen=True)
class Stream:
    """As the server lists it."""

    name: str
    subjects: Tuple[str, ...]
    retention: str

    @classmethod
    def of(cls, config: StreamConfig) -> Stream:
        return cls(config.name or "", tuple(config.subjects or ()), config.retention or "")


@dataclass(frozen=True)
class Use:
    name: str


@dataclass(frozen=True)
class CreateStream:
    """No stream has any of the subjects."""


@dataclass(frozen=True)
class Refuse:
    """``why`` says what is in the way, and what to do."""

    why: str


def choose(streams: Iterable[Stream], wanted: str) -> Union[Use, CreateStream, Refuse]:
    """For a subject pattern such as ``falco.>``.

    NATS refuses two streams over the same subject, so whatever overlaps decides.
    """
    overlapping = [s for s in streams if any(overlaps(one, wanted) for one in s.subjects)]
    covering = [s for s in overlapping if any(covers(one, wanted) for one in s.subjects)]
    if covering:
        return _use(covering[0], wanted)
    if overlapping:
        return Refuse(_in_part(overlapping, wanted))
    return CreateStream()


def covers(pattern: str, wanted: str) -> bool:
    """Whether every subject of ``wanted`` is one of ``pattern``."""
    ours, theirs = wanted.split("."), pattern.split(".")
    for index, token in enumerate(theirs):
        if token == ">":
            return len(ours) > index
        if index >= len(ours) or ours[index] == ">":
            return False
        if token != "*" and token != ours[index]:
            return False
    return len(ours) == len(theirs)


def overlaps(one: str, other: str) -> bool:
    """Whether a subject can be of both patterns."""
    for left, right in zip(one.split("."), other.split(".")):
        if ">" in (left, right):
            return True
        if "*" not in (left, right) and left != right:
            return False
    return one.count(".") == other.count(".")


def _use(stream: Stream, wanted: str) -> Union[Use, Refuse]:
    if stream.retention == LIMITS:
        return Use(stream.name)
    return Refuse(
        f"stream {stream.name} covers {wanted} with retention {stream.retention!r}: acknowledging"
        " an alert there would take it from its other readers. Give it retention 'limits' (it"
        " cannot be edited: delete it and let it be created again), or take these subjects out"
    )


def _in_part(streams: List[Stream], wanted: str) -> str:
    named = "; ".join(f"stream {s.name} has {', '.join(s.subjects)}" for s in streams)
    first = streams[0].name
    return (
        f"{named}: that is a part of {wanted}, and NATS allows no second stream over it. Widen it"
        f" (nats stream edit {first} --subjects '{wanted}') or take these subjects out of it"
    )
