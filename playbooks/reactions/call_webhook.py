"""Send an alert to a program by a webhook."""

from __future__ import annotations

from playbooks.core.action import Action
from playbooks.core.alert import Alert
from playbooks.core.notifications import cloud_event
from playbooks.core.notifications.settings import TARGET_SECRET, TARGET_URL
from playbooks.core.outcome import Outcome
from playbooks.core.ports import Webhook
from playbooks.core.reaction import Reaction
from playbooks.core.redaction.redaction import Redaction


class CallWebhook(Reaction):
    """Posts one CloudEvent: the alert as Falco writes it, redacted."""

    SETTINGS = (TARGET_URL, TARGET_SECRET)

    def __init__(self, webhook: Webhook, redaction: Redaction) -> None:
        self._webhook = webhook
        self._redaction = redaction

    def plan(self, alert: Alert) -> Action:
        said = f"send the webhook: {alert.message}"
        return Action("send", "webhook", said, lambda: self._send(alert))

    def _send(self, alert: Alert) -> Outcome:
        event = cloud_event.of_alert("webhook", alert, self._redaction)
        self._webhook.send(event)
        said = f"sent the alert of {alert.rule} to the webhook"
        return Outcome.acted("webhook", "sent", said, message_id=event["id"])
