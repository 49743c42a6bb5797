"""Tell a Slack channel about an alert."""

from __future__ import annotations

from typing import Optional

from playbooks.core.action import Action
from playbooks.core.alert import Alert
from playbooks.core.notifications import slack
from playbooks.core.notifications.facts import MessageOptions
from playbooks.core.notifications.settings import LINKS
from playbooks.core.outcome import Outcome
from playbooks.core.ports import Slack
from playbooks.core.reaction import Reaction
from playbooks.core.redaction.redaction import Redaction
from playbooks.core.settings import Setting, http_url


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
        redacted = self._redaction.alert(alert)
        self._slack.post(slack.of_alert("slack", redacted, self._options))
        return Outcome.acted("Slack", "notified", f"told Slack about {alert.rule}")
