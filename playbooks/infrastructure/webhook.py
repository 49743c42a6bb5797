"""A webhook of one's own: CloudEvents, signed."""

from __future__ import annotations

from typing import Any, Mapping, Optional, Tuple

from playbooks.core.alert import Alert
from playbooks.core.errors import PlaybookError, Throttled, WebhookRejected, WebhookUnavailable
from playbooks.core.notifications import cloud_event, signature
from playbooks.core.notifications.slack import MessageOptions
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
        failure = self._failure(event["id"], body)
        if failure is not None:
            raise failure

    def _failure(self, message_id: str, body: bytes) -> Optional[PlaybookError]:
        signed = signature.headers(self._keys, message_id, self._clock.now(), body)
        headers = {"Content-Type": cloud_event.CONTENT_TYPE, **signed}
        answer = posting.post(self._url, body, headers)
        if isinstance(answer, str):
            return WebhookUnavailable(f"the webhook did not answer: {answer}")
        words = posting.words(answer, self._url)
        said = f"the webhook answered {answer.status_code}: {words or 'nothing'}"
        if 200 <= answer.status_code < 300:
            return None
        if answer.status_code == 429:
            return Throttled(said, retry_after=posting.retry_after(answer))
        if answer.status_code >= 500:
            return WebhookUnavailable(said)
        return WebhookRejected(said)


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
