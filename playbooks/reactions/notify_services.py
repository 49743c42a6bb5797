"""Tell services such as Teams, PagerDuty, mail or Telegram about an alert."""

from __future__ import annotations

from playbooks.core.action import Action
from playbooks.core.alert import Alert
from playbooks.core.notifications import text_message
from playbooks.core.notifications.facts import MessageOptions
from playbooks.core.notifications.settings import LINKS, SERVICES
from playbooks.core.outcome import Outcome
from playbooks.core.ports import Notifier
from playbooks.core.reaction import Reaction
from playbooks.core.redaction.redaction import Redaction


class NotifyServices(Reaction):
    """Sends one message to each service, with what a message to Slack says."""

    SETTINGS = (SERVICES, *LINKS)

    def __init__(self, notifier: Notifier, redaction: Redaction, options: MessageOptions) -> None:
        self._notifier = notifier
        self._redaction = redaction
        self._options = options

    def plan(self, alert: Alert) -> Action:
        said = f"tell the services: {alert.message}"
        return Action("notify", "services", said, lambda: self._notify(alert))

    def _notify(self, alert: Alert) -> Outcome:
        redacted = self._redaction.alert(alert)
        self._notifier.send(text_message.of_alert("notify", redacted, self._options))
        return Outcome.acted("services", "notified", f"told the services about {alert.rule}")
