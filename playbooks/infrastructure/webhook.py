"""A webhook of one's own: CloudEvents, signed."""

from __future__ import annotations

from typing import Any, Mapping, Tuple

from playbooks.core.alert import Alert
from playbooks.core.errors import WebhookRejected, WebhookUnavailable
from playbooks.core.notifications import cloud_event, signature
from playbooks.core.notifications.facts import MessageOptions
from playbooks.core.outcome import Outcome
from playbooks.core.ports import Clock, Recorder, Webhook
from playbooks.infrastructure import posting


class SignedWebhook(Webhook):
    """``url`` and ``keys`` are secrets. Any 2xx says that the event was taken."""

    def __init__(self, url: str, keys: Tuple[bytes, ...], clock: Clock) -> None:
        self._url = url
        self._keys = keys
        self._clock = clock

    def send(self, event: Mapping[str, Any]) -> None:
        body = cloud_event.body(event)
        signed = signature.headers(self._keys, event["id"], self._clock.now(), body)
        failure = posting.failure(
            self._url,
            body,
            {"Content-Type": cloud_event.CONTENT_TYPE, **signed},
            who="the webhook",
            unavailable=WebhookUnavailable,
            rejected=WebhookRejected,
        )
        if failure is not None:
            raise failure


class WebhookRecorder(Recorder):
    """Every outcome, as it is: a program chooses what it needs."""

    EVERY = True

    def __init__(self, webhook: Webhook, playbook: str, options: MessageOptions) -> None:
        self._webhook = webhook
        self._playbook = playbook
        self._options = options

    def record(self, alert: Alert, outcome: Outcome) -> None:
        cluster = self._options.cluster(alert)
        self._webhook.send(cloud_event.of_outcome(self._playbook, alert, outcome, cluster))
