"""A Slack incoming webhook over HTTP."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import Any, Mapping, Optional, Union

import requests

from playbooks.core.alert import Alert
from playbooks.core.errors import PlaybookError, SlackRejected, SlackUnavailable, Throttled
from playbooks.core.notifications import kinds
from playbooks.core.notifications.slack import MessageOptions, message
from playbooks.core.outcome import Outcome
from playbooks.core.ports import Clock, Ledger, Recorder, Slack

# Seconds to connect and to wait for an answer.
TIMEOUT = (3.05, 10.0)

# What a message repeats only after an hour: a target that is left running.
_ONCE = (kinds.HELD, kinds.FAILED)

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
    """One message for each outcome that people should hear of; for a target that is left running,
    one an hour for each reason: by the ledger, because every alert may have a process of its own.
    Where the ledger does not answer, the message is posted all the same."""

    def __init__(
        self,
        slack: Slack,
        playbook: str,
        ledger: Ledger,
        clock: Clock,
        options: Optional[MessageOptions] = None,
    ) -> None:
        self._slack = slack
        self._playbook = playbook
        self._ledger = ledger
        self._options = options or MessageOptions()
        self._clock = clock

    def record(self, alert: Alert, outcome: Outcome) -> None:
        kind = kinds.kind(outcome)
        once = kind in _ONCE and bool(outcome.target)
        what = _mark(outcome) if once else ""
        if not kind or (once and not self._first(what)):
            return
        try:
            self._slack.post(message(self._playbook, alert, outcome, self._options))
        except Exception:
            # It may be tried again.
            if once:
                with suppress(PlaybookError):
                    self._ledger.untell(what)
            raise

    def _first(self, what: str) -> bool:
        try:
            return self._ledger.tell(what, self._clock.now())
        except PlaybookError:
            return True


def _mark(outcome: Outcome) -> str:
    """Short, and of any length of a name."""
    said = "\0".join((outcome.target, str(outcome.details.get("uid", "")), outcome.reason))
    return hashlib.sha256(said.encode()).hexdigest()[:16]
