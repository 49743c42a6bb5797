"""Tell a Slack channel about an alert."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple

from playbooks.core.action import Action
from playbooks.core.alert import Alert
from playbooks.core.notifications.plain_text import plain
from playbooks.core.notifications.slack import (
    LONGEST_FIELD,
    LONGEST_TEXT,
    MOST_FIELDS,
    escaped,
    mrkdwn,
)
from playbooks.core.outcome import Outcome
from playbooks.core.ports import Slack
from playbooks.core.reaction import Reaction
from playbooks.core.redaction.redaction import Redaction
from playbooks.core.settings import Setting, http_url
from playbooks.core.subjects import Priority

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

    def __init__(self, slack: Slack, redaction: Optional[Redaction] = None) -> None:
        self._slack = slack
        self._redaction = redaction or Redaction()

    def plan(self, alert: Alert) -> Action:
        said = f"tell Slack: {alert.message}"
        return Action("notify", "Slack", said, lambda: self._notify(alert))

    def _notify(self, alert: Alert) -> Outcome:
        self._slack.post(message(self._redaction.alert(alert)))
        return Outcome.acted("Slack", "notified", f"told Slack about {alert.rule}")


def message(alert: Alert) -> Dict[str, Any]:
    """What the webhook is sent.

    Source: https://docs.slack.dev/messaging/formatting-message-text (escaping) and
    https://docs.slack.dev/reference/block-kit/blocks/section-block.
    """
    fields = [
        mrkdwn(f"*{title}*\n", LONGEST_FIELD, value) for title, value in _facts(alert) if value
    ]
    words = mrkdwn("", LONGEST_TEXT, alert.message or alert.rule)
    return {
        "text": escaped(plain(f"{alert.priority}: {alert.rule}"), LONGEST_TEXT),
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
