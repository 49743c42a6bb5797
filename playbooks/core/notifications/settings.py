"""The settings of messages about outcomes."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Callable, Dict, List, Mapping, Tuple

from playbooks.core.errors import InvalidSetting
from playbooks.core.notifications import signature
from playbooks.core.notifications.links import template
from playbooks.core.settings import (
    Setting,
    Settings,
    http_url,
    names,
    or_nothing,
    secure_url,
    yes_or_no,
)


def service_urls(value: str) -> Tuple[str, ...]:
    """Which services they are of, apprise knows."""
    found = tuple(value.split())
    for number, url in enumerate(found, 1):
        if not _SERVICE.match(url) or not url.isprintable():
            raise ValueError(
                f"URLs of services, such as tgram://TOKEN/CHAT; number {number} is none"
            )
        if url.lower().startswith("http://"):
            secure_url(url)
    if not found:
        raise ValueError("URLs of services, such as tgram://TOKEN/CHAT")
    return found


_SERVICE = re.compile("[a-z][a-z0-9+.-]*://", re.ASCII | re.IGNORECASE)

OUTCOMES = Setting(
    "SLACK_OUTCOMES",
    yes_or_no,
    "false",
    "Post to Slack what was done, what failed, and when a budget is used up, with the reasons",
)
WEBHOOK = Setting(
    "SLACK_WEBHOOK_URL",
    or_nothing(http_url),
    "",
    "The incoming webhook for that; required with `SLACK_OUTCOMES=true`",
    secret=True,
)
# Of the program that hears of alerts, or of outcomes.
TARGET_URL = Setting(
    "WEBHOOK_URL",
    secure_url,
    None,
    "Where CloudEvents are posted, https://...",
    secret=True,
)
TARGET_SECRET = Setting(
    "WEBHOOK_SECRET",
    signature.keys,
    None,
    "What they are signed with, as Standard Webhooks has it: `whsec_` and base64; two, separated by"
    " a space, while one replaces the other",
    secret=True,
)

# Of the services that are told, as people hear of things.
SERVICES = Setting(
    "NOTIFY_URLS",
    service_urls,
    None,
    "The services that are told, as apprise writes them: `tgram://TOKEN/CHAT`, one a line or"
    " separated by spaces",
    secret=True,
)

OF_PROGRAM = (TARGET_URL, TARGET_SECRET)

#: What hears of outcomes, and which settings it needs for that.
PROGRAM, PEOPLE = "webhook", "notify"
_NEEDED: Dict[str, Tuple[Setting, ...]] = {PROGRAM: OF_PROGRAM, PEOPLE: (SERVICES,)}

# What they install.
_INSTALLED = {PROGRAM: "requests", PEOPLE: "apprise"}


def destinations(value: str) -> Tuple[str, ...]:
    found = names(value)
    if not set(found) <= set(_NEEDED):
        raise ValueError(f"{' or '.join(_NEEDED)}, comma-separated")
    return found


TO = Setting(
    "OUTCOMES_TO",
    destinations,
    "",
    "Who else hears of outcomes, comma-separated: `webhook`, of every one, as a CloudEvent;"
    " `notify`, of those that people should hear of, in the words of Slack's messages",
)
RUNBOOK = Setting(
    "RUNBOOK_URL",
    or_nothing(template),
    "",
    "A link in messages, with fields: `https://wiki.example/{rule}`. The fields are `{playbook}`,"
    " `{rule}` (as in a topic), `{priority}`, `{cluster}`, `{namespace}`, `{pod}`, `{node}`,"
    " `{reason}`, `{trace_id}` and `{time}`",
)
LINK = Setting(
    "LINK_URL",
    or_nothing(template),
    "",
    "Another one, such as to a dashboard or to traces, with the same fields",
)
LINKS = (RUNBOOK, LINK)


def _optional(setting: Setting, destination: str) -> Setting:
    said = f"{setting.help}; required with `{TO.name}={destination}`"
    return replace(setting, kind=or_nothing(setting.kind), default="", help=said)


SETTINGS = (
    *(OUTCOMES, WEBHOOK, TO),
    *(_optional(setting, name) for name, needed in _NEEDED.items() for setting in needed),
    *LINKS,
)

#: Their values decide what is installed.
DECIDING = (OUTCOMES.name, TO.name)

#: Those of which one may need another.
TOGETHER = frozenset(setting.name for setting in SETTINGS) - {link.name for link in LINKS}

MISSING = f"{WEBHOOK.name} is not set, expected the incoming webhook that {OUTCOMES.name}=true uses"


def check(settings: Settings) -> None:
    """Raises InvalidSetting where one of the settings needs another."""
    texts = {OUTCOMES.name: str(settings.get(OUTCOMES.name, "")).lower()}
    texts[TO.name] = ",".join(settings.get(TO.name, ()))
    for problem in lacking(texts, lambda name: bool(settings[name])):
        raise InvalidSetting(problem)


def lacking(values: Mapping[str, str], is_given: Callable[[str], bool]) -> List[str]:
    """What the settings, as they were written, need and is not given."""
    found = [MISSING] if to_slack(values) and not is_given(WEBHOOK.name) else []
    for destination in names(values.get(TO.name, "")):
        found += [
            f"{setting.name} is not set, expected what {TO.name}={destination} uses"
            for setting in _NEEDED.get(destination, ())
            if not is_given(setting.name)
        ]
    return found


def to_slack(values: Mapping[str, str]) -> bool:
    """Whether the settings, as they were written, ask for messages."""
    return values.get(OUTCOMES.name, "").lower() == "true"


def packages(values: Mapping[str, str]) -> Tuple[str, ...]:
    told = names(values.get(TO.name, ""))
    found = (package for name, package in _INSTALLED.items() if name in told)
    return tuple(dict.fromkeys((*(["requests"] if to_slack(values) else []), *found)))
