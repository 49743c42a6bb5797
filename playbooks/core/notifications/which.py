"""What people should hear of without asking, and where they hear it."""

from __future__ import annotations

from typing import Mapping, Tuple

from playbooks.core.errors import InvalidAlert, InvalidSetting
from playbooks.core.outcome import Concern, Outcome, Status
from playbooks.core.settings import Setting, Settings, http_url, yes_or_no

ACTED, WOULD, FAILED, TRIPPED, UNDONE = (
    "acted",
    "would have acted",
    "failed",
    "tripped",
    "undone",
)


def optional_url(value: str) -> str:
    return http_url(value) if value else ""


OUTCOMES = Setting(
    "SLACK_OUTCOMES",
    yes_or_no,
    "false",
    "Tell Slack what was done, what failed, and a budget that trips, with the reasons",
)
WEBHOOK = Setting(
    "SLACK_WEBHOOK_URL",
    optional_url,
    "",
    "The incoming webhook for that; required with `SLACK_OUTCOMES=true`",
    secret=True,
)
SETTINGS = (OUTCOMES, WEBHOOK)

MISSING = f"{WEBHOOK.name} is not set, expected the incoming webhook that {OUTCOMES.name}=true uses"


def check(settings: Settings) -> None:
    """Raises InvalidSetting where one of the settings needs another."""
    if settings.get(OUTCOMES.name) and not settings[WEBHOOK.name]:
        raise InvalidSetting(MISSING)


def to_slack(values: Mapping[str, str]) -> bool:
    """Whether the settings, as they were written, ask for messages."""
    return values.get(OUTCOMES.name, "").lower() == "true"


def packages(values: Mapping[str, str]) -> Tuple[str, ...]:
    return ("requests",) if to_slack(values) else ()


def kind(outcome: Outcome) -> str:
    """What it is to be told as; empty for what nobody needs to hear of, such as most skips."""
    if outcome.status is Status.ACTED:
        return UNDONE if outcome.reason == UNDONE else ACTED
    if outcome.status is Status.WOULD_ACT:
        return WOULD
    if outcome.status is Status.FAILED:
        return "" if outcome.reason == InvalidAlert.reason else FAILED
    return TRIPPED if outcome.details.get("first") else ""


def undone(concern: Concern, message: str, by: str) -> Outcome:
    """What becomes of an action that a person took back, for the record."""
    place = f"{concern.namespace}/{concern.name}" if concern.namespace else concern.name
    target = f"{concern.kind.lower()} {place}"
    outcome = Outcome.acted(target, UNDONE, message, by=by, uid=concern.uid)
    return Outcome(**{**vars(outcome), "concern": concern, "why": (f"asked for by {by}", message)})
