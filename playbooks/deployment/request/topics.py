"""Topics: which are refused, and which deserve a warning."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import List, Sequence, Tuple

from playbooks.core.subjects import KnownRule, Priority, advice, malformed, overlaps, slug
from playbooks.deployment.errors import meant

RULES = Path(__file__).with_name("falco_rules.json")


def known_rules() -> Tuple[KnownRule, ...]:
    """The rules that Falco ships."""
    rules = json.loads(RULES.read_text(encoding="utf-8"))["rules"]
    return tuple(KnownRule(rule["rule"], Priority.of(rule["priority"])) for rule in rules)


def problems(topics: Sequence[str], *, forced: bool = False) -> List[str]:
    """Why these topics cannot be deployed. ``forced``: also those that no alert can match."""
    if not topics:
        return ["no topic is given: -t TOPIC, for example -t 'falco.error.*'"]
    found = [
        f"topic {topic!r} is malformed: {reason}"
        for topic in dict.fromkeys(topics)
        for reason in [malformed(topic)]
        if reason
    ]
    if not forced:
        found += [f"{why} (--force deploys it)" for why in _never_matching(topics)]
    twice = [topic for topic in dict.fromkeys(topics) if topics.count(topic) > 1]
    return found + [f"topic {topic!r} is given twice" for topic in twice]


def warnings(topics: Sequence[str]) -> List[str]:
    """What is odd about topics that are well formed."""
    rules = known_rules()
    rare = [f"topic {topic!r} {why}" for topic in topics for why in [_rare(topic, rules)] if why]
    twice = [
        f"topics {one!r} and {other!r} overlap: an alert on both is answered twice"
        for one, other in combinations(topics, 2)
        if overlaps(one, other)
    ]
    return _never_matching(topics) + rare + twice


def _never_matching(topics: Sequence[str]) -> List[str]:
    return [
        f"topic {topic!r} never matches an alert: {reason}{_meant_priority(topic)}"
        for topic in topics
        for reason in [None if malformed(topic) else advice(topic)]
        if reason
    ]


def _meant_priority(topic: str) -> str:
    token = "".join(topic.split(".")[1:2])
    known = [priority.name.lower() for priority in Priority]
    return "" if token.lower() in (*known, "info") else meant(token, known)


def _rare(topic: str, rules: Tuple[KnownRule, ...]) -> str:
    """Why a topic may match no alert; people change Falco's rules and add their own."""
    if advice(topic):
        return ""
    reason = advice(topic, rules)
    if reason:
        return f"matches only where you changed Falco's rules: {reason}"
    token = "".join(topic.split(".")[2:])
    known = {slug(rule.name) for rule in rules}
    if token in ("", "*", ">", *known):
        return ""
    said = f"matches only a rule of your own: Falco ships no rule {token}"
    return f"{said}{meant(token, known)}"
