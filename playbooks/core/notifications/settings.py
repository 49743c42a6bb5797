"""The settings of messages about outcomes."""

from __future__ import annotations

from typing import Mapping, Tuple

from playbooks.core.errors import InvalidSetting
from playbooks.core.notifications.links import optional_template
from playbooks.core.settings import Setting, Settings, http_url, yes_or_no


def optional_url(value: str) -> str:
    return http_url(value) if value else ""


OUTCOMES = Setting(
    "SLACK_OUTCOMES",
    yes_or_no,
    "false",
    "Post to Slack what was done, what failed, and when a budget is used up, with the reasons",
)
WEBHOOK = Setting(
    "SLACK_WEBHOOK_URL",
    optional_url,
    "",
    "The incoming webhook for that; required with `SLACK_OUTCOMES=true`",
    secret=True,
)
RUNBOOK = Setting(
    "RUNBOOK_URL",
    optional_template,
    "",
    "A link in messages, with fields: `https://wiki.example/{rule}`. The fields are `{playbook}`,"
    " `{rule}` (as in a topic), `{priority}`, `{cluster}`, `{namespace}`, `{pod}`, `{node}`,"
    " `{reason}`, `{trace_id}` and `{time}`",
)
LINK = Setting(
    "LINK_URL",
    optional_template,
    "",
    "Another one, such as to a dashboard or to traces, with the same fields",
)
LINKS = (RUNBOOK, LINK)
SETTINGS = (OUTCOMES, WEBHOOK, *LINKS)

MISSING = f"{WEBHOOK.name} is not set, expected the incoming webhook that {OUTCOMES.name}=true uses"


def check(settings: Settings) -> None:
    """Raises InvalidSetting where one of the settings needs another."""
    if settings.get(OUTCOMES.name) and not settings[WEBHOOK.name]:
        raise InvalidSetting(MISSING)


def to_slack(values: Mapping[str, str]) -> bool:
    """Whether the settings, as they were written, ask for messages."""
    return values.get(OUTCOMES.name, "").lower() == "true"


def packages(values: Mapping[str, str]) -> Tuple[str, ...]:
    return ("requests",) if to_slack(values) else ()
