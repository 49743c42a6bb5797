"""A Slack incoming webhook over HTTP."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Any, Callable, Mapping, Optional, Tuple, Union

import requests

from playbooks.core.alert import Alert
from playbooks.core.errors import PlaybookError, SlackRejected, SlackUnavailable, Throttled
from playbooks.core.notifications import kinds
from playbooks.core.notifications.slack import MessageOptions, message
from playbooks.core.outcome import Outcome
from playbooks.core.ports import Recorder, Slack

# Seconds to connect and to wait for an answer.
TIMEOUT = (3.05, 10.0)

# Seconds until a message repeats that a target is held, and targets remembered at most.
REPEATED = 3600.0
MOST = 1000

# Characters of Slack's answer that an error repeats.
LONGEST_ANSWER = 200


class SlackWebhook(Slack):
    """``url`` is a secret: whoever has it can post. No error of this class holds it.

    Source: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
    """

    def __init__(self, url: str) -> None:
        self._url = url

    def post(self, message: Mapping[str, Any]) -> None:
        failure = self._failure(self._send(message))
        # Raised outside of any except block: the error of requests holds the URL.
        if failure is not None:
            raise failure

    def _send(self, message: Mapping[str, Any]) -> Union[requests.Response, PlaybookError]:
        try:
            return requests.post(self._url, json=message, timeout=TIMEOUT, allow_redirects=False)
        except requests.RequestException as error:
            return SlackUnavailable(f"Slack did not answer: {type(error).__name__}")

    def _failure(self, answer: Union[requests.Response, PlaybookError]) -> Optional[PlaybookError]:
        if isinstance(answer, PlaybookError):
            return answer
        words = answer.text[:LONGEST_ANSWER].replace(self._url, "(webhook URL)").strip()
        said = f"Slack answered {answer.status_code}: {words or 'nothing'}"
        if answer.status_code == 429:
            return Throttled(said, retry_after=_seconds(answer.headers.get("Retry-After")))
        if answer.status_code >= 500:
            return SlackUnavailable(said)
        if answer.status_code != 200 or words != "ok":
            return SlackRejected(said)
        return None


def _seconds(header: Optional[str]) -> Optional[float]:
    try:
        return max(0.0, float(header)) if header else None
    except ValueError:
        return None


class SlackRecorder(Recorder):
    """One message for each outcome that people should hear of; for a target that is held, one for
    each reason within ``REPEATED`` seconds of it."""

    def __init__(
        self,
        slack: Slack,
        playbook: str,
        options: Optional[MessageOptions] = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._slack = slack
        self._playbook = playbook
        self._options = options or MessageOptions()
        self._clock = clock
        self._held: OrderedDict[Tuple[str, str, str], float] = OrderedDict()

    def record(self, alert: Alert, outcome: Outcome) -> None:
        kind = kinds.kind(outcome)
        key = (outcome.target, str(outcome.details.get("uid", "")), outcome.reason)
        if not kind or (kind == kinds.HELD and self._is_known(key)):
            return
        self._slack.post(message(self._playbook, alert, outcome, self._options))
        if kind == kinds.HELD:
            self._held[key] = self._clock()
            self._held.move_to_end(key)
            if len(self._held) > MOST:
                self._held.popitem(last=False)

    def _is_known(self, key: Tuple[str, str, str]) -> bool:
        return self._clock() - self._held.get(key, float("-inf")) < REPEATED
