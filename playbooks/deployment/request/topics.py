"""Topics: which are refused, and which deserve a warning."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import List, Sequence, Tuple

from playbooks.core.subjects import KnownRule, Priority, advice, malformed

RULES = Path(__file__).with_name("falco_rules.json")


def known_rules() -> Tuple[KnownRule, ...]:
    """The rules that Falco ships."""
    rules = json.loads(RULES.read_text(encoding="utf-8"))["rules"]
    return tuple(KnownRule(rule["rule"], Priority.of(rule["priority"])) for rule in rules)


def problems(topics: Sequence[str]) -> List[str]:
    """Why these topics cannot be deployed."""
    if not topics:
        return ["no topic is given: -t TOPIC, for example -t 'falco.error.*'"]
    found = [
        f"topic {topic!r} is malformed: {reason}"
        for topic in dict.fromkeys(topics)
        for reason in [malformed(topic)]
        if reason
    ]
    twice = [topic for topic in dict.fromkeys(topics) if topics.count(topic) > 1]
    return found + [f"topic {topic!r} is given twice" for topic in twice]


def warnings(topics: Sequence[str]) -> List[str]:
    """What is odd about topics that are well formed."""
    rules = known_rules()
    idle = [f"topic {topic!r} {why}" for topic in topics for why in [_idle(topic, rules)] if why]
    twice = [
        f"topics {one!r} and {other!r} overlap: an alert on both is answered twice"
        for one, other in combinations(topics, 2)
        if overlap(one, other)
    ]
    return idle + twice


def _idle(topic: str, rules: Tuple[KnownRule, ...]) -> str:
    """Why a topic may wait for ever; people do change the priorities of Falco's own rules."""
    reason = advice(topic)
    if reason:
        return f"never matches an alert: {reason}"
    reason = advice(topic, rules)
    return f"matches only where you changed Falco's rules: {reason}" if reason else ""


def overlap(one: str, other: str) -> bool:
    """Whether one subject can match both topics."""
    mine, others = one.split("."), other.split(".")
    for a, b in zip(mine, others):
        if ">" in (a, b):
            return True
        if a != b and "*" not in (a, b):
            return False
    return len(mine) == len(others)
