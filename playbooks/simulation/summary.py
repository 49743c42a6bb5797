"""The summary of a replay: what would have been acted upon, and what stricter settings change."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field, replace
from typing import Deque, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from playbooks.core.instant import after
from playbooks.core.ledger.book import Book, Request
from playbooks.core.ledger.limits import Limits
from playbooks.core.outcome import ACCEPTED, Status
from playbooks.core.subjects import Priority
from playbooks.simulation.replay import Answered, Replayed

# Workloads and failures that are listed, bars of the timeline, and the caps that are tried.
MOST_WORKLOADS, MOST_FAILURES, BARS = 10, 10, 60
CAPS = (1, 3, 5, 10, 20, 50, 100)


@dataclass(frozen=True)
class Row:
    """One rule on one workload. ``skipped``: by reason code."""

    rule: str
    namespace: str
    workload: str
    acted: int
    skipped: Mapping[str, int]
    failed: int


@dataclass(frozen=True)
class Peak:
    """The most that was wanted within any window, and the cap on it (None: off)."""

    namespace: str
    wanted: int
    cap: Optional[int]
    at: str


@dataclass(frozen=True)
class Tripped:
    namespace: str
    at: str
    held: int


@dataclass(frozen=True)
class WhatIf:
    """The same alerts with one setting changed."""

    setting: str
    value: str
    acted: int
    held: int
    tripped: int


@dataclass(frozen=True)
class Bar:
    """``start``: when it begins; it lasts until the next one."""

    start: str
    acted: int
    held: int
    skipped: int


@dataclass(frozen=True)
class Summary:
    """``waits``: those of ``held`` that wait for the window of a limit, and not for a person.
    ``accepted``: those of ``acted`` that are deletions, which end when the pod is gone.
    ``settings``: those that it ran with beside the defaults, from ``source``, empty for what was
    typed; ``left_out``: what it did not go by, in words. ``failures``: why alerts failed, and how
    many."""

    playbook: str
    topics: Sequence[str]
    alerts: int
    elsewhere: int
    unreadable: int
    first: str
    last: str
    acted: int
    held: int
    skipped: int
    failed: int
    rows: Sequence[Row]
    peaks: Sequence[Peak]
    tripped: Sequence[Tripped]
    workloads: Sequence[Tuple[str, int]]
    what_if: Sequence[WhatIf]
    timeline: Sequence[Bar]
    waits: int = 0
    settings: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    left_out: Sequence[str] = ()
    accepted: int = 0
    failures: Sequence[Tuple[str, int]] = ()


def summarize(
    playbook: str, topics: Sequence[str], replayed: Replayed, limits: Limits, least: Priority
) -> Summary:
    """``limits`` and ``least`` (MINIMUM_PRIORITY) are those that the replay ran with."""
    answered = replayed.answered
    wanted = list(_once(answered))
    count = Counter(_sort(one) for one in answered)
    return Summary(
        playbook=playbook,
        topics=topics,
        alerts=len(answered),
        elsewhere=replayed.elsewhere,
        unreadable=replayed.unreadable,
        first=str(answered[0].time) if answered else "",
        last=str(answered[-1].time) if answered else "",
        acted=count["acted"],
        held=count["held"],
        skipped=count["skipped"],
        failed=count["failed"],
        rows=_rows(answered),
        peaks=_peaks(wanted, limits),
        tripped=_tripped(answered),
        workloads=Counter(_named(one) for one in wanted).most_common(MOST_WORKLOADS),
        what_if=[*_priorities(wanted, limits, least), *_caps(wanted, limits)],
        timeline=_timeline(answered),
        waits=sum(one.waits for one in answered),
        accepted=sum(_sort(one) == "acted" and one.reason == ACCEPTED for one in answered),
        failures=Counter(o.failure for o in answered if o.failure).most_common(MOST_FAILURES),
    )


def _sort(one: Answered) -> str:
    if one.status is Status.SKIPPED:
        return "held" if one.wanted else "skipped"
    return "failed" if one.status is Status.FAILED else "acted"


def _once(answered: Sequence[Answered]) -> Iterator[Answered]:
    """What would have been acted upon without caps: each object the first time."""
    seen = set()
    for one in answered:
        if one.wanted and one.uid not in seen:
            seen.add(one.uid)
            yield one


def _rows(answered: Sequence[Answered]) -> List[Row]:
    groups: Dict[Tuple[str, str, str], List[Answered]] = {}
    for one in answered:
        groups.setdefault((one.rule, one.namespace, one.workload), []).append(one)
    rows = [
        Row(
            *place,
            acted=sum(_sort(one) == "acted" for one in members),
            skipped=dict(Counter(o.reason for o in members if o.status is Status.SKIPPED)),
            failed=sum(one.status is Status.FAILED for one in members),
        )
        for place, members in groups.items()
    ]
    return sorted(rows, key=lambda row: (-row.acted, -sum(row.skipped.values()), row.rule))


def _peaks(wanted: Sequence[Answered], limits: Limits) -> List[Peak]:
    """Of all namespaces together first, then the highest ones."""
    by_namespace: Dict[str, List[Answered]] = {}
    for one in wanted:
        by_namespace.setdefault(one.namespace, []).append(one)
    peaks = [_peak(n, found, limits.in_namespace, limits) for n, found in by_namespace.items()]
    peaks.sort(key=lambda peak: -peak.wanted)
    return [_peak("(all)", wanted, limits.in_all, limits), *peaks]


def _peak(namespace: str, wanted: Sequence[Answered], cap: Optional[int], limits: Limits) -> Peak:
    window: Deque[Answered] = deque()
    most, at = 0, ""
    for one in wanted:
        window.append(one)
        while one.time.seconds_since(window[0].time) > limits.window:
            window.popleft()
        if len(window) > most:
            most, at = len(window), str(window[0].time)
    return Peak(namespace, most, cap, at)


def _tripped(answered: Sequence[Answered]) -> List[Tripped]:
    stopped = [one for one in answered if one.reason == "budget-used-up" and not one.waits]
    held = Counter(one.namespace for one in stopped)
    first: Dict[str, str] = {}
    for one in stopped:
        first.setdefault(one.namespace, str(one.time))
    return [Tripped(namespace, at, held[namespace]) for namespace, at in first.items()]


def _named(one: Answered) -> str:
    return f"{one.namespace}/{one.workload}" if one.namespace else one.workload or one.uid


def _priorities(wanted: Sequence[Answered], limits: Limits, least: Priority) -> Iterator[WhatIf]:
    for priority in Priority:
        if priority > least:
            kept = [one for one in wanted if one.priority >= priority]
            yield _what_if("MINIMUM_PRIORITY", str(priority), kept, limits)


def _caps(wanted: Sequence[Answered], limits: Limits) -> Iterator[WhatIf]:
    for cap in CAPS:
        if limits.in_namespace is None or cap < limits.in_namespace:
            stricter = replace(limits, in_namespace=cap)
            yield _what_if("MAX_ACTIONS", str(cap), wanted, stricter)


def _what_if(setting: str, value: str, wanted: Sequence[Answered], limits: Limits) -> WhatIf:
    book, acted = Book(), 0
    for one in wanted:
        request = Request(one.uid, one.namespace, one.time)
        acted += not book.ask(request, limits, one.time).reason
    return WhatIf(setting, value, acted, len(wanted) - acted, len(book.tripped))


def _timeline(answered: Sequence[Answered]) -> List[Bar]:
    if not answered:
        return []
    first, last = answered[0].time, answered[-1].time
    step = max(1.0, last.seconds_since(first) / BARS)
    bars: Dict[int, Counter[str]] = {}
    for one in answered:
        place = min(int(one.time.seconds_since(first) / step), BARS - 1)
        bars.setdefault(place, Counter())[_sort(one)] += 1
    none: Counter[str] = Counter()
    return [
        Bar(
            str(after(first, n * step)),
            found["acted"],
            found["held"],
            found["skipped"] + found["failed"],
        )
        for n, found in ((n, bars.get(n, none)) for n in range(max(bars) + 1))
    ]
