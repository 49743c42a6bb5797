"""The Slack message about what a playbook did, would have done, or failed to do."""

from __future__ import annotations

from typing import Any, Dict, List

from playbooks.core.alert import Alert
from playbooks.core.notifications import kinds
from playbooks.core.notifications.plain_text import plain
from playbooks.core.outcome import Outcome

_COLOURS = {
    kinds.ACTED: "#2f9e44",
    kinds.WOULD: "#2f80ed",
    kinds.FAILED: "#d40e0d",
    kinds.HELD: "#f2b705",
    kinds.WAITS: "#f2b705",
    kinds.TRIPPED: "#e8590c",
    kinds.UNDONE: "#9aa0a6",
}
_TITLES = {
    kinds.HELD: "is held:",
    kinds.WAITS: "waits with",
    kinds.TRIPPED: "has used up its budget",
}

# Characters that Slack takes, and fields of a section.
LONGEST_TEXT = 3000

LONGEST_FIELD = 2000

MOST_FIELDS = 10


def message(playbook: str, alert: Alert, outcome: Outcome) -> Dict[str, Any]:
    """Never the alert's own text. ``why`` is a section of its own, a check a line."""
    kind = kinds.kind(outcome)
    title = " ".join((playbook, _TITLES.get(kind, kind), outcome.target)).strip()
    facts = (
        ("Rule", alert.rule),
        ("Priority", str(alert.priority)),
        ("Time", str(alert.time)),
        ("Reason", outcome.reason),
    )
    fields = [mrkdwn(f"*{name}*\n", LONGEST_FIELD, value) for name, value in facts]
    blocks: List[Dict[str, Any]] = [
        {"type": "section", "text": mrkdwn("", LONGEST_TEXT, outcome.message or title)},
        {"type": "section", "fields": fields},
    ]
    checks = [f"{number}. {check}" for number, check in enumerate(outcome.why, 1)]
    if checks:
        blocks.append({"type": "section", "text": mrkdwn("*Why*\n", LONGEST_TEXT, *checks)})
    return {
        "text": escaped(plain(title), LONGEST_TEXT),
        "attachments": [{"color": _COLOURS[kind], "blocks": blocks}],
    }


def mrkdwn(prefix: str, longest: int, *lines: str) -> Dict[str, Any]:
    """Text of ours in front, then lines from an alert, of which Slack shall make no links."""
    body = prefix + escaped("\n".join(map(plain, lines)), longest - len(prefix))
    return {"type": "mrkdwn", "text": body, "verbatim": True}


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
