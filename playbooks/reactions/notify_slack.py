"""Tell a Slack channel about an alert."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

from playbooks.core.action import Action
from playbooks.core.alert import Alert
from playbooks.core.outcome import Outcome
from playbooks.core.ports import Reaction, Slack
from playbooks.core.priority import Priority
from playbooks.core.settings import Setting, http_url

# Characters that Slack takes. Source: https://docs.slack.dev/reference/block-kit/blocks
LONGEST_TEXT = 3000
LONGEST_FIELD = 2000
MOST_FIELDS = 10

_COLOURS = {
    Priority.EMERGENCY: "#7b001c",
    Priority.ALERT: "#b3001b",
    Priority.CRITICAL: "#d40e0d",
    Priority.ERROR: "#e8590c",
    Priority.WARNING: "#f2b705",
    Priority.NOTICE: "#2f80ed",
    Priority.INFORMATIONAL: "#56a3a6",
    Priority.DEBUG: "#9aa0a6",
}


class NotifySlack(Reaction):
    """Posts one message: the alert's output, a colour for its priority, and what it points at."""

    SETTINGS = (
        Setting(
            "SLACK_WEBHOOK_URL",
            http_url,
            None,
            "The incoming webhook of the channel, https://hooks.slack.com/services/...",
            secret=True,
        ),
    )

    def __init__(self, slack: Slack) -> None:
        self._slack = slack

    def plan(self, alert: Alert) -> Action:
        said = f"tell Slack: {alert.message}"
        return Action("notify", "Slack", said, lambda: self._notify(alert))

    def _notify(self, alert: Alert) -> Outcome:
        self._slack.post(message(alert))
        return Outcome.acted("Slack", "notified", f"told Slack about {alert.rule}")


def message(alert: Alert) -> Dict[str, Any]:
    """What the webhook is sent.

    Source: https://docs.slack.dev/messaging/formatting-message-text (escaping) and
    https://docs.slack.dev/reference/block-kit/blocks/section-block.
    """
    fields = [
        _text(f"*{title}*\n", value, LONGEST_FIELD) for title, value in _facts(alert) if value
    ]
    words = _text("", alert.message or alert.rule, LONGEST_TEXT)
    return {
        "text": _escaped(f"{alert.priority}: {alert.rule}", LONGEST_TEXT),
        "attachments": [
            {
                "color": _COLOURS[alert.priority],
                "blocks": [
                    {"type": "section", "text": words},
                    {"type": "section", "fields": fields[:MOST_FIELDS]},
                ],
            }
        ],
    }


def _facts(alert: Alert) -> List[Tuple[str, str]]:
    claim = alert.claim
    container = alert.fields.get("container.name")
    known = container if isinstance(container, str) and not claim.host else ""
    return [
        ("Rule", alert.rule),
        ("Priority", str(alert.priority)),
        ("Time", str(alert.time)),
        ("Namespace", claim.namespace),
        ("Pod", claim.pod),
        ("Container", " ".join(part for part in (known, claim.container_id) if part)),
        ("Node", alert.hostname),
        ("Tags", ", ".join(alert.tags)),
    ]


def _text(prefix: str, value: str, longest: int) -> Dict[str, Any]:
    """Text of ours in front, then text from an alert, of which Slack shall make no links."""
    body = prefix + _escaped(value, longest - len(prefix))
    return {"type": "mrkdwn", "text": body, "verbatim": True}


def _escaped(value: str, longest: int) -> str:
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
