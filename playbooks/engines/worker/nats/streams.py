"""Which stream keeps the alerts: one that is there, a new one, or none and why."""

from __future__ import annotations

from typing import Iterable, List, Optional

from nats.js.api import DiscardPolicy, StreamConfig, StreamInfo

from playbooks.core.subjects import covers, overlaps
from playbooks.engines.worker.function import Stream

LIMITS = "limits"

# Bytes that are proposed for a stream without a bound.
SUGGESTED = 512 * 1024 * 1024

# The part of its bound from which a stream counts as full.
NEARLY = 0.9


class Unusable(Exception):
    """JetStream cannot be used as it is. The words say why, and what to do."""


def choose(listed: Iterable[StreamInfo], wanted: str) -> Optional[StreamInfo]:
    """The stream that keeps a subject pattern such as ``falco.>``; None where none has any of it.

    NATS refuses two streams over the same subject, so whatever overlaps decides. Raises Unusable.
    """
    overlapping = [each for each in listed if keeps(each.config, wanted)]
    for each in overlapping:
        if any(covers(one, wanted) for one in each.config.subjects or ()):
            _check(each.config, wanted)
            return each
    if overlapping:
        raise Unusable(_in_part(overlapping, wanted))
    return None


def having(listed: Iterable[StreamInfo], wanted: Iterable[Stream]) -> List[StreamInfo]:
    """Those that have any of the subjects of these."""
    subjects = [each.subjects for each in wanted]
    return [info for info in listed if any(keeps(info.config, each) for each in subjects)]


def unbounded(info: StreamInfo) -> str:
    """Why a stream may stop taking messages in, or lets some go soon, and what to do; empty where
    its bounds are right."""
    config, used = info.config, info.state.bytes or 0
    name, most = config.name, config.max_bytes or 0
    edit = f"nats stream edit {name}"
    if most <= 0:
        return (
            f"stream {name} has no bound, and may fill the server's storage:"
            f" {edit} --max-bytes {SUGGESTED}"
        )
    if config.discard == DiscardPolicy.NEW:
        full = used / most
        return (
            f"stream {name} refuses messages once it is full, and is full by {full:.0%}:"
            f" {edit} --discard old"
        )
    if used >= NEARLY * most:
        return (
            f"stream {name} is full by {used / most:.0%} and lets the oldest messages go:"
            f" {edit} --max-bytes {2 * most}"
        )
    return ""


def refuses(info: StreamInfo) -> str:
    """Why a stream takes no messages in at the moment, or empty."""
    config, state = info.config, info.state
    used, most, messages = state.bytes or 0, config.max_bytes or 0, state.messages or 0
    # Less than what a hundredth of it is, or two messages are, is no room.
    room = max(most // 100, 2 * used // max(1, messages))
    full = 0 < most <= used + room or 0 < (config.max_msgs or 0) <= messages
    if config.sealed:
        return f"stream {config.name} is sealed and refuses messages"
    if config.discard == DiscardPolicy.NEW and full:
        return f"stream {config.name} is full and refuses messages (discard: new)"
    return ""


def keeps(config: StreamConfig, wanted: str) -> bool:
    """Whether it has any of these subjects."""
    return any(overlaps(one, wanted) for one in config.subjects or ())


def _check(config: StreamConfig, wanted: str) -> None:
    transform = config.subject_transform
    if transform:
        raise Unusable(
            f"stream {config.name} renames subjects ({transform.src or '>'} to {transform.dest}),"
            f" so that none of {wanted} could be found in it again. Take subject_transform out of"
            " it"
        )
    if config.retention != LIMITS:
        raise Unusable(
            f"stream {config.name} covers {wanted} with retention {config.retention!r}:"
            " acknowledging an alert there would take it from its other readers. Give it retention"
            " 'limits' (it cannot be edited: delete it and let it be created again), or take these"
            " subjects out"
        )


def _in_part(listed: List[StreamInfo], wanted: str) -> str:
    named = "; ".join(
        f"stream {each.config.name} has {', '.join(each.config.subjects or ())}" for each in listed
    )
    return (
        f"{named}: that is a part of {wanted}, and NATS allows no second stream over it. Widen it"
        f" (nats stream edit {listed[0].config.name} --subjects '{wanted}') or take these subjects"
        " out of it"
    )
