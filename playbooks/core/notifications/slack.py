"""Slack messages: about an alert, and about what a playbook did, would have done, or failed to do.

Text of an alert stands in objects of the type ``plain_text``, in which Slack makes nothing bold, no
emoji, no link and no mention. Source: https://docs.slack.dev/reference/block-kit/composition-objects
and https://docs.slack.dev/messaging/formatting-message-text.
"""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

from playbooks.core.alert import Alert
from playbooks.core.instant import Instant
from playbooks.core.notifications import facts, kinds
from playbooks.core.notifications.facts import MessageOptions
from playbooks.core.notifications.plain_text import plain
from playbooks.core.outcome import Outcome
from playbooks.core.subjects import Priority

_COLOURS = {
    kinds.ACTED: "#2f9e44",
    kinds.WOULD: "#2f80ed",
    kinds.FAILED: "#d40e0d",
    kinds.HELD: "#f2b705",
    kinds.WAITS: "#f2b705",
    kinds.TRIPPED: "#e8590c",
    kinds.UNDONE: "#9aa0a6",
    kinds.VERIFIED: "#2f9e44",
    kinds.NOT_VERIFIED: "#d40e0d",
    kinds.CONFIRMED: "#2f9e44",
    kinds.UNCONFIRMED: "#f2b705",
}

# Of an alert, by its priority.
_OF_ALERT = {
    Priority.EMERGENCY: "#7b001c",
    Priority.ALERT: "#b3001b",
    Priority.CRITICAL: "#d40e0d",
    Priority.ERROR: "#e8590c",
    Priority.WARNING: "#f2b705",
    Priority.NOTICE: "#2f80ed",
    Priority.INFORMATIONAL: "#56a3a6",
    Priority.DEBUG: "#9aa0a6",
}

# Characters that Slack takes, and fields of a section.
LONGEST_TEXT = 3000

LONGEST_FIELD = 2000

MOST_FIELDS = 10

Object = Dict[str, Any]


_DEFAULT = MessageOptions()


def of_outcome(
    playbook: str, alert: Alert, outcome: Outcome, options: MessageOptions = _DEFAULT
) -> Object:
    """Never the alert's own text. ``why`` is a section of its own, a check a line."""
    kind = kinds.kind(outcome)
    title = facts.sentence(playbook, kind, outcome)
    blocks = [section(outcome.message or title)]
    blocks += fields_of(facts.of_outcome(alert, outcome, options.cluster(alert)))
    blocks += commands(*facts.commands(playbook, outcome, options.namespace))
    blocks += linked(*options.links(playbook, alert, outcome))
    checks = [f"{number}. {check}" for number, check in enumerate(outcome.why, 1)]
    if checks:
        blocks.append(section("Why", *checks))
    return made(title, _COLOURS[kind], blocks)


def of_alert(playbook: str, alert: Alert, options: MessageOptions) -> Object:
    """The alert's output, a colour for its priority, and what it points at. Of an alert that is
    redacted."""
    blocks = [
        section(alert.message or alert.rule),
        *fields_of(facts.of_alert(alert, options.cluster(alert))),
        *linked(*options.links(playbook, alert)),
    ]
    return made(f"{alert.priority}: {alert.rule}", _OF_ALERT[alert.priority], blocks)


# The parts of a message


def made(text: str, colour: str, blocks: List[Object]) -> Object:
    """``text``: what a notification shows, in which nothing is bold."""
    return {
        "text": escaped(plain(text), LONGEST_TEXT),
        "mrkdwn": False,
        "attachments": [{"color": colour, "blocks": blocks}],
    }


def section(*lines: str) -> Object:
    return {"type": "section", "text": plain_text(LONGEST_TEXT, *lines)}


def fields_of(named: facts.Facts) -> List[Object]:
    """A section with the name and value of each that there is; a time as the reader's clock has
    it."""
    fields = [
        _time(name, value)
        if isinstance(value, Instant)
        else plain_text(LONGEST_FIELD, name, str(value))
        for name, value in named
        if value
    ]
    return [{"type": "section", "fields": fields[:MOST_FIELDS]}] if fields else []


def commands(*named: Tuple[str, str]) -> List[Object]:
    """A section with commands to copy."""
    lines = [f"*{name}*: `{escaped(command, LONGEST_FIELD)}`" for name, command in named]
    return [_section("\n".join(lines))] if lines else []


def linked(*named: Tuple[str, str]) -> List[Object]:
    """A section with links: the name and the URL of each."""
    found = [f"<{escaped(url, LONGEST_FIELD)}|{name}>" for name, url in named]
    return [_section(" \u00b7 ".join(found))] if found else []


def plain_text(longest: int, *lines: str) -> Object:
    """Lines of whatever text: Slack shows them as they are."""
    body = escaped("\n".join(map(plain, lines)), longest)
    return {"type": "plain_text", "text": body, "emoji": False}


def _time(name: str, value: Instant) -> Object:
    shown = f"<!date^{value.seconds}^{{date_short}} {{time_secs}}|{value}>"
    return {"type": "mrkdwn", "text": f"{name}\n{shown}", "verbatim": True}


def _section(text: str) -> Object:
    """Text of ours."""
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def escaped(value: str, longest: int) -> str:
    """Slack's three control characters escaped, cut where it would be too long."""
    escaped, length = [], 0
    for character in value:
        safe = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}.get(character, character)
        length += len(safe)
        escaped.append(safe)
        if length > longest:
            break
    else:
        return "".join(escaped)
    while length > longest - 1:
        length -= len(escaped.pop())
    return "".join(escaped) + "\u2026"
