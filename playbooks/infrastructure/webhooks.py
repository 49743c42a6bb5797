"""Webhooks of people and programs outside of the cluster: Slack's, and one's own of CloudEvents.

Their URLs are secrets: no error that is raised here holds one, nor what caused it.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Callable, Mapping, Tuple, Type, Union
from urllib.parse import urlsplit

import requests

from playbooks.core.alert import Alert
from playbooks.core.errors import (
    PlaybookError,
    RetryableError,
    SlackRejected,
    SlackUnavailable,
    Throttled,
    WebhookRejected,
    WebhookUnavailable,
    retry_after,
)
from playbooks.core.notifications import cloud_event, signature
from playbooks.core.notifications import slack as messages
from playbooks.core.notifications.facts import MessageOptions
from playbooks.core.outcome import Outcome
from playbooks.core.ports import Clock, Recorder, Slack, Webhook
from playbooks.infrastructure.messages import MessageRecorder

# Seconds to connect and to wait for an answer.
TIMEOUT = (3.05, 10.0)

# Characters of an answer that an error repeats, and bytes that are read of one at least.
LONGEST_ANSWER, READ = 200, 4096

# Where Slack itself is.
HOSTS = ("slack.com", "slack-gov.com")


class SlackWebhook(Slack):
    """``url`` is a secret: whoever has it can post. No error of this class holds it.

    Slack says ``ok``, and anything else is a proxy's page. Others that take its messages, such as
    Mattermost and Rocket.Chat, have words of their own: of these any 2xx is good.

    Source: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
    """

    def __init__(self, url: str) -> None:
        self._url = url
        host = urlsplit(url).hostname or ""
        self._is_slacks = any(f".{host}".endswith(f".{each}") for each in HOSTS)

    def post(self, message: Mapping[str, Any]) -> None:
        _post(
            self._url,
            json.dumps(message).encode(),
            {"Content-Type": "application/json"},
            who="Slack",
            unavailable=SlackUnavailable,
            rejected=SlackRejected,
            took=self._took,
        )

    def _took(self, status: int, words: str) -> bool:
        return status == 200 and words == "ok" if self._is_slacks else 200 <= status < 300


class SlackRecorder(MessageRecorder[Slack]):
    def tell(self, alert: Alert, outcome: Outcome) -> None:
        self._service.post(messages.of_outcome(self._playbook, alert, outcome, self._options))


class SignedWebhook(Webhook):
    """``url`` and ``keys`` are secrets. Any 2xx says that the event was taken."""

    def __init__(self, url: str, keys: Tuple[bytes, ...], clock: Clock) -> None:
        self._url = url
        self._keys = keys
        self._clock = clock

    def send(self, event: Mapping[str, Any]) -> None:
        body = cloud_event.body(event)
        signed = signature.headers(self._keys, event["id"], self._clock.now(), body)
        _post(
            self._url,
            body,
            {"Content-Type": cloud_event.CONTENT_TYPE, **signed},
            who="the webhook",
            unavailable=WebhookUnavailable,
            rejected=WebhookRejected,
        )


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


def _post(
    url: str,
    content: bytes,
    headers: Mapping[str, str],
    *,
    who: str,
    unavailable: Type[RetryableError],
    rejected: Type[PlaybookError],
    took: Callable[[int, str], bool] = lambda status, _: 200 <= status < 300,
) -> None:
    """Raises one of the errors, in words that say what ``who`` answered. ``took``: whether an
    answer of this status and these words is a good one. Redirects are not followed."""
    answer = asked(url, content, headers)
    if isinstance(answer, str):
        raise unavailable(f"{who} did not answer: {answer}")
    status, said = answer.status, _words(answer.body, url)
    message = f"{who} answered {status}: {said or 'nothing'}"
    if status == 429:
        raise Throttled(message, retry_after=retry_after(answer.headers.get("Retry-After")))
    if status >= 500:
        raise unavailable(message)
    if not took(status, said):
        raise rejected(message)


@dataclass(frozen=True)
class WebhookAnswer:
    """``body``: its beginning."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def asked(url: str, content: bytes, headers: Mapping[str, str]) -> Union[WebhookAnswer, str]:
    """The answer, or the name of the error for which there is none: its words hold the URL, and so
    it is nobody's cause."""
    try:
        with requests.post(
            url,
            data=content,
            headers=dict(headers),
            timeout=TIMEOUT,
            allow_redirects=False,
            stream=True,
        ) as answer:
            return WebhookAnswer(answer.status_code, answer.headers, _beginning(answer, url))
    except requests.RequestException as error:
        return type(error).__name__


def _beginning(answer: requests.Response, url: str) -> bytes:
    """As much as an error repeats, however often the URL is in it, and what comes in time: its end
    may never come. The status that came is the answer, whatever becomes of the rest."""
    found, most = bytearray(), max(READ, 16 * len(url))
    until = time.monotonic() + TIMEOUT[1]
    with suppress(requests.RequestException):
        # Byte by byte: more would be waited for.
        for part in answer.iter_content(1):
            found += part
            if len(found) >= most or time.monotonic() > until:
                break
    return bytes(found)


def _words(body: bytes, url: str) -> str:
    """The beginning of what was answered, without the URL and what of it only the two know."""
    parts = urlsplit(url)
    words = body.decode("utf-8", "replace")
    for secret in (url, f"{parts.path}?{parts.query}", parts.path, parts.query):
        if len(secret) > 1:
            words = words.replace(secret, "(webhook URL)")
    return words[:LONGEST_ANSWER].strip()
