"""NATS subjects: ``falco.<priority>.<rule slug>``, as the publishers of Falco alerts make them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Optional, Tuple

PREFIX = "falco"


class Priority(IntEnum):
    """Higher is more urgent: ``Priority.EMERGENCY > Priority.DEBUG``.

    Source: falcosecurity/falco, ``userspace/engine/falco_common.cpp``.
    """

    DEBUG = 1
    INFORMATIONAL = 2
    NOTICE = 3
    WARNING = 4
    ERROR = 5
    CRITICAL = 6
    ALERT = 7
    EMERGENCY = 8

    @classmethod
    def of(cls, name: str) -> Priority:
        """Read a priority in any case; ``info`` is what rules write for Informational.

        Raises ValueError that lists the known names.
        """
        key = name.strip().upper()
        if key == "INFO":
            return cls.INFORMATIONAL
        try:
            return cls[key]
        except KeyError:
            known = ", ".join(str(priority) for priority in reversed(cls))
            raise ValueError(f"one of {known}") from None

    def __str__(self) -> str:
        return self.name.capitalize()


def slug(rule: str) -> str:
    """The rule's token: lower case, every run of other characters one underscore.

    Empty for a rule without any letter or digit of ASCII; NATS never delivers its subject.
    Source: falcosecurity/falcosidekick, ``outputs/nats.go``. Go lowers U+0130 to a plain i.
    """
    lowered = rule.replace("\u0130", "i").lower()
    return re.sub("[^a-z0-9]+", "_", lowered).strip("_")


def subject(rule: str, priority: Priority) -> str:
    """The subject on which an alert of this rule and priority is published."""
    return f"{PREFIX}.{priority.name.lower()}.{slug(rule)}"


@lru_cache(maxsize=4096)
def matches(topic: str, subject: str) -> bool:
    """Whether NATS delivers the subject to a subscription of the topic.

    ``*`` stands for one token and ``>``, at the end, for one or more.
    Source: https://docs.nats.io/nats-concepts/subjects
    """
    wanted, tokens = topic.split("."), subject.split(".")
    if wanted[-1] == ">":
        wanted = wanted[:-1]
        if len(tokens) <= len(wanted):
            return False
        tokens = tokens[: len(wanted)]
    return len(wanted) == len(tokens) and all(
        pattern in ("*", token) for pattern, token in zip(wanted, tokens)
    )


def covers(topic: str, other: str) -> bool:
    """Whether every subject of the other topic is one of this."""
    return matches(topic, other) and (topic.endswith(">") or not other.endswith(">"))


def overlaps(one: str, other: str) -> bool:
    """Whether one subject can match both topics."""
    for left, right in zip(one.split("."), other.split(".")):
        if ">" in (left, right):
            return True
        if "*" not in (left, right) and left != right:
            return False
    return one.count(".") == other.count(".")


def malformed(topic: str) -> Optional[str]:
    """Why NATS refuses the topic, or None."""
    tokens = topic.split(".")
    if not all(tokens):
        return "it has an empty token"
    if re.search(r"\s", topic) or not topic.isprintable():
        return "it has white space or a control character"
    if ">" in tokens[:-1]:
        return "'>' stands for the rest and can only be the last token"
    if any(len(token) > 1 and set(token) & set("*>") for token in tokens):
        return "'*' and '>' must be whole tokens"
    return None


@dataclass(frozen=True)
class KnownRule:
    """A rule that Falco ships, with its priority."""

    name: str
    priority: Priority


def advice(topic: str, known_rules: Tuple[KnownRule, ...] = ()) -> Optional[str]:
    """Why no alert can ever match a well-formed topic, or None where one can."""
    tokens = topic.split(".")
    open_ended = tokens[-1] == ">"
    if tokens[0] not in (PREFIX, "*", ">"):
        return f"subjects of alerts begin with {PREFIX}, not {tokens[0]!r}"
    if len(tokens) > 3 or (len(tokens) < 3 and not open_ended):
        return f"subjects of alerts have 3 tokens, {PREFIX}.<priority>.<rule>, not {len(tokens)}"
    if len(tokens) < 3:
        return None
    return _about_priority(tokens[1]) or _about_rule(tokens[1], tokens[2], known_rules)


def _about_priority(token: str) -> Optional[str]:
    names = [priority.name.lower() for priority in reversed(Priority)]
    if token == "*" or token in names:
        return None
    if token == "info":
        return "Falco spells this priority informational"
    if token.lower() in names:
        return f"subjects are case-sensitive and written in lower case: {token.lower()}"
    return f"there is no priority {token!r}: one of {', '.join(names)}"


def _about_rule(priority: str, token: str, known_rules: Tuple[KnownRule, ...]) -> Optional[str]:
    if token in ("*", ">"):
        return None
    if token != slug(token):
        return f"the rule's token is its slug: {slug(token) or 'it has no letter or digit'}"
    if priority == "*":
        return None
    priorities = [rule.priority for rule in known_rules if slug(rule.name) == token]
    if not priorities or Priority.of(priority) in priorities:
        return None
    known = " or ".join(str(known) for known in priorities)
    where = subject(token, priorities[0])
    return f"Falco's own rule of that name has priority {known}: {where}"
