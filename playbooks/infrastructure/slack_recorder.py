"""Outcomes told to a Slack channel."""

from __future__ import annotations

from playbooks.core.alert import Alert
from playbooks.core.notifications import which
from playbooks.core.notifications.slack import message
from playbooks.core.outcome import Outcome
from playbooks.core.ports import Recorder, Slack


class SlackRecorder(Recorder):
    """One message for each outcome that people should hear of."""

    def __init__(self, slack: Slack, playbook: str) -> None:
        self._slack = slack
        self._playbook = playbook

    def record(self, alert: Alert, outcome: Outcome) -> None:
        if which.kind(outcome):
            self._slack.post(message(self._playbook, alert, outcome))
