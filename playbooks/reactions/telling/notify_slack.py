"""Tell a Slack channel about an alert."""

from __future__ import annotations

from typing import Any, Dict, Optional

from playbooks.core.action import Action
from playbooks.core.alert import Alert
from playbooks.core.notifications import facts, links, slack
from playbooks.core.notifications.settings import LINKS
from playbooks.core.notifications.slack import MessageOptions
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
        *LINKS,
    )

    def __init__(
        self,
        slack: Slack,
        redaction: Optional[Redaction] = None,
        options: Optional[MessageOptions] = None,
    ) -> None:
        self._slack = slack
        self._redaction = redaction or Redaction()
        self._options = options or MessageOptions()

    def plan(self, alert: Alert) -> Action:
        said = f"tell Slack: {alert.message}"
        return Action("notify", "Slack", said, lambda: self._notify(alert))

    def _notify(self, alert: Alert) -> Outcome:
        self._slack.post(message(self._redaction.alert(alert), self._options))
        return Outcome.acted("Slack", "notified", f"told Slack about {alert.rule}")


def message(alert: Alert, options: MessageOptions, playbook: str = "slack") -> Dict[str, Any]:
    """What the webhook is sent."""
    cluster = options.cluster(alert)
    blocks = [
        slack.section(alert.message or alert.rule),
        *slack.fields_of(facts.of_alert(alert, cluster)),
        *slack.linked(options, links.of_outcome(playbook, alert, None, cluster)),
    ]
    return slack.made(f"{alert.priority}: {alert.rule}", _COLOURS[alert.priority], blocks)
