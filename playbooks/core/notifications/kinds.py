"""The kinds of outcomes that people are told of without asking."""

from __future__ import annotations

from dataclasses import replace

from playbooks.core import outcome as outcomes
from playbooks.core.cluster.api_object import named
from playbooks.core.errors import InvalidAlert
from playbooks.core.ledger.book import RECURRING
from playbooks.core.outcome import Outcome, Status, TargetRef

CONFIRMED, UNCONFIRMED = "identity confirmed", "unconfirmed"

ACTED, WOULD, FAILED, HELD, WAITS, TRIPPED, UNDONE, VERIFIED, NOT_VERIFIED = (
    "acted",
    "would have acted",
    "failed",
    "held",
    "waits",
    "tripped",
    "undone",
    "verified",
    "not verified",
)


_OF_PLUGINS = {outcomes.IDENTITY_CONFIRMED: CONFIRMED, outcomes.UNCONFIRMED: UNCONFIRMED}


def kind(outcome: Outcome) -> str:
    """What it is to be told as; empty for what nobody needs to hear of, such as most skips.

    ``HELD``: a proven target that is left as it is until a person decides; ``WAITS``: until the
    window of a limit allows it. ``VERIFIED``, ``NOT_VERIFIED``: what a look some time after an
    action found; ``CONFIRMED``, ``UNCONFIRMED``: whether a network plugin knows of it.
    """
    if outcome.status is Status.LOOKED:
        if outcome.reason in _OF_PLUGINS:
            return _OF_PLUGINS[outcome.reason]
        holds = outcome.details.get(outcomes.HOLDS)
        return "" if holds is None else VERIFIED if holds else NOT_VERIFIED
    if outcome.status is Status.ACTED:
        return UNDONE if outcome.reason == UNDONE else ACTED
    if outcome.status is Status.WOULD_ACT:
        return WOULD
    if outcome.status is Status.FAILED:
        return "" if outcome.reason == InvalidAlert.reason else FAILED
    first = outcome.details.get("first")
    if outcome.reason == RECURRING:
        return HELD if first else ""
    if first is not None:
        # Of a budget that has tripped people are told once, of a limit that many wait for once
        # within its window.
        # On record is what it waits for, not how long.
        waits = outcome.waits is not None or "waits_for" in outcome.details
        told = WAITS if waits else TRIPPED
        return told if first else ""
    return HELD if outcome.held and outcome.target else ""


def told(outcome: Outcome) -> bool:
    """Whether it is worth a message to people. That an action worked is on record."""
    return bool(kind(outcome)) and outcome.reason != outcomes.VERIFIED


def undone(target_ref: TargetRef, message: str, by: str) -> Outcome:
    """What becomes of an action that a person took back, for the record."""
    target = named(target_ref.kind.lower(), target_ref.name, target_ref.namespace)
    outcome = Outcome.acted(target, UNDONE, message, by=by, uid=target_ref.uid)
    return replace(outcome, target_ref=target_ref, why=(f"asked for by {by}", message))
