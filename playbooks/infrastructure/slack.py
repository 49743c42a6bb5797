"""A Slack incoming webhook over HTTP."""

from __future__ import annotations

import json
from typing import Any, Mapping, Optional
from urllib.parse import urlsplit

from playbooks.core.alert import Alert
from playbooks.core.errors import SlackRejected, SlackUnavailable
from playbooks.core.notifications import slack as messages
from playbooks.core.notifications.facts import MessageOptions
from playbooks.core.outcome import Outcome
from playbooks.core.ports import Clock, Ledger, Slack
from playbooks.infrastructure import posting
from playbooks.infrastructure.messages import MessageRecorder

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
        failure = posting.failure(
            self._url,
            json.dumps(message).encode(),
            {"Content-Type": "application/json"},
            who="Slack",
            unavailable=SlackUnavailable,
            rejected=SlackRejected,
            took=self._took,
        )
        if failure is not None:
            raise failure

    def _took(self, status: int, words: str) -> bool:
        return status == 200 and words == "ok" if self._is_slacks else 200 <= status < 300


class SlackRecorder(MessageRecorder):
    def __init__(
        self,
        slack: Slack,
        playbook: str,
        ledger: Ledger,
        clock: Clock,
        options: Optional[MessageOptions] = None,
    ) -> None:
        super().__init__(ledger, clock)
        self._slack = slack
        self._playbook = playbook
        self._options = options or MessageOptions()

    def tell(self, alert: Alert, outcome: Outcome) -> None:
        self._slack.post(messages.of_outcome(self._playbook, alert, outcome, self._options))
