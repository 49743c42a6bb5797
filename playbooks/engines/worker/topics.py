"""From NATSTrigger objects to the topics that the worker subscribes to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Iterable, List, Mapping, Optional, Tuple, Union

from playbooks.core import subjects
from playbooks.core.cluster.selectors import Selector
from playbooks.core.instant import Instant
from playbooks.engines.worker.function import ALERTS, Function

FOREVER = Instant(2**63 - 1)


@dataclass(frozen=True)
class Subscription:
    """Alerts stored from ``since`` to ``until`` on subjects that match ``topic`` are wanted.

    ``until`` is in the past for a topic that is no longer a trigger's: what it still owes is looked
    through, and only what another topic wants as well is acted upon.
    """

    topic: str
    since: Instant
    until: Instant = FOREVER

    @property
    def active(self) -> bool:
        return self.until == FOREVER

    def wants(self, subject: str, stored: Instant) -> bool:
        return self.since <= stored < self.until and subjects.matches(self.topic, subject)


@dataclass(frozen=True)
class TopicPlan:
    """``refused``: one sentence for every trigger that is not served, for the log."""

    subscriptions: Tuple[Subscription, ...]
    refused: Tuple[str, ...]


def plan(triggers: Iterable[Mapping[str, Any]], function: Function) -> TopicPlan:
    """What the triggers of a namespace ask of this function.

    Triggers of one topic are one subscription, since the oldest of them. Order does not matter.
    """
    since: Dict[str, Instant] = {}
    refused: List[str] = []
    for trigger in triggers:
        name = trigger["metadata"]["name"]
        spec = trigger.get("spec") or {}
        if trigger["metadata"].get("deletionTimestamp"):
            continue
        selects = _selects(spec.get("functionSelector"), function)
        if isinstance(selects, str):
            refused.append(f"trigger {name} is refused: {selects}")
            continue
        if not selects:
            continue
        topic = _topic(spec.get("topic"))
        if topic is None:
            refused.append(f"trigger {name} is refused: {_why_not(spec.get('topic'))}")
            continue
        start = max(wanted_since(trigger), function.created)
        since[topic] = min(start, since.get(topic, start))
    found = tuple(Subscription(topic, since[topic]) for topic in sorted(since))
    return TopicPlan(found, tuple(sorted(refused)))


def wanted_since(trigger: Mapping[str, Any]) -> Instant:
    """Since when the trigger has had its present topic and selector: whole seconds.

    Its creation, or its edit: the API server notes in ``managedFields`` when whoever set a field
    last wrote. Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/
    """
    metadata = trigger["metadata"]
    created = Instant.parse(metadata["creationTimestamp"])
    written = [
        moment
        for field in ("f:topic", "f:functionSelector")
        for moment in [_written(metadata.get("managedFields") or (), field)]
        if moment is not None
    ]
    return max([created, *written])


def _written(managed: Iterable[Mapping[str, Any]], field: str) -> Optional[Instant]:
    """When the field had its value at the latest, by any of those who set it to that."""
    times = [
        Instant.parse(entry["time"])
        for entry in managed
        if field in ((entry.get("fieldsV1") or {}).get("f:spec") or {}) and entry.get("time")
    ]
    return min(times) if times else None


def _selects(selector: Any, function: Function) -> Union[bool, str]:
    """Whether it selects the function, or why it is refused."""
    if not isinstance(selector, Mapping):
        selector = {}
    if not selector.get("matchLabels") and not selector.get("matchExpressions"):
        return "its functionSelector is empty, which would be every function of the namespace"
    try:
        return Selector.of(selector).selects(function.labels)
    except (AttributeError, KeyError, TypeError, ValueError):
        return "its functionSelector is malformed"


def _topic(topic: Any) -> Optional[str]:
    """The part of the topic that lies in ``falco.>``, or None where there is none."""
    if not isinstance(topic, str) or not topic or subjects.malformed(topic):
        return None
    first, dot, rest = topic.partition(".")
    if first == ">":
        return ALERTS.subjects
    if first in ("*", subjects.PREFIX) and dot:
        return f"{subjects.PREFIX}.{rest}"
    return None


def _why_not(topic: Any) -> str:
    if not isinstance(topic, str) or not topic:
        return "it has no topic"
    malformed = subjects.malformed(topic)
    return f"topic {topic}: {malformed or f'subjects of alerts begin with {subjects.PREFIX}.'}"


def retired(
    before: Iterable[Subscription], topics: Iterable[str], now: Instant
) -> List[Subscription]:
    """The subscriptions whose topics are gone, ended now unless they had ended before."""
    kept = set(topics)
    return [
        Subscription(s.topic, s.since, min(s.until, now)) for s in before if s.topic not in kept
    ]


def renaming(topic: str, subject: str) -> str:
    """What is said of a topic of which an alert is stored under such a subject."""
    return (
        f"alerts of topic {topic} are stored under {subject}, which it does not match: something"
        " renames subjects (a mapping of the account, or subject_transform of a stream)"
    )
