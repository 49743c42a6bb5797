"""The state of playbooks as people read it: a table, or a paragraph for each."""

from __future__ import annotations

from typing import Any, Iterator, Mapping, Optional, Tuple

from playbooks.commands.pause import paused_since
from playbooks.commands.state.document import HOURS
from playbooks.core.guards import DRY_RUN
from playbooks.core.instant import Instant
from playbooks.core.notifications.plain_text import plain
from playbooks.deployment.terminal import Row, one_line, without_fraction
from playbooks.infrastructure.this_pod import SystemClock

COLUMNS = ("NAMESPACE", "NAME", "PLAYBOOK", "READY", "TOPICS", "PAUSED", "BUDGET USED UP")
WIDE = (
    *COLUMNS,
    *("HELD", "DEAD LETTERS", "CONTAINED", "LAST ACTION", "NATS", "STREAM", "VERSION", "SETTINGS"),
)

# Of what is contained.
CONTAINED = ("NAMESPACE", "OBJECT", "UNTIL", "PLAYBOOK", "BY")

_UNKNOWN = "unknown"

# Of a function to which alerts are pushed.
_OF_ENGINE = "unknown: its engine has them as TOPICS"


def row(document: Mapping[str, Any]) -> Row:
    """By COLUMNS."""
    paused = document["paused"]
    unknown = document["ledger_error"]
    cells = (
        document["namespace"],
        document["name"],
        document["playbook"] + ", dry run" * _is_dry(document),
        _ready(document),
        _UNKNOWN if document["topics"] is None else ",".join(document["topics"]),
        f"by {paused.get('by', '')}" if paused else "",
        ",".join(sorted(document["tripped"])),
    )
    return cells, [f"its pauses and budgets are unknown: {unknown}"] if unknown else []


def wide_row(document: Mapping[str, Any]) -> Row:
    """By WIDE. Below it stands what could not be read."""
    cells, notes = row(document)
    nats = document["nats"]
    last, contained = document["last_action"], document["contained"]
    also = (
        _sum(document["held"]),
        _sum(document["dead_letters"]),
        _UNKNOWN if contained is None else str(len(contained)),
        without_fraction(last.get("recorded", "")) if last else "",
        ("down" if nats["error"] and not nats["stream"] else "ok") if nats else _UNKNOWN,
        nats["stream"] if nats else "",
        document["version"] or _UNKNOWN,
        _settings(document),
    )
    wrong = (document["worker_error"], document["contained_error"], (nats or {}).get("error"))
    return (*cells, *also), [*notes, *(one_line(each) for each in wrong if each)]


def contained_row(document: Mapping[str, Any]) -> Row:
    """By CONTAINED. Below it stands why nothing is known."""
    until, unknown = document["until"], document["error"]
    named = _UNKNOWN if unknown else f"{document['kind']}/{document['name']}"
    ends = f"{until}{', which is over' * _is_over(until)}" if until else "no end"
    cells = (document["namespace"], named, "" if unknown else ends)
    return (*cells, document["playbook"], document["by"]), [one_line(unknown)] if unknown else []


def paragraph(document: Mapping[str, Any]) -> str:
    """Of the playbook, whoever may edit its Function says any name."""
    title = plain(f"{document['namespace']}/{document['name']} ({document['playbook']})")
    fields = [f"    {f'{name}:':<16}{plain(value)}" for name, value in _fields(document)]
    return "\n".join([title, *fields])


def _fields(document: Mapping[str, Any]) -> Iterator[Tuple[str, str]]:
    runs = document["version"]
    yield "engine", document["engine"]
    yield "ready", _ready(document)
    yield "version", f"{runs or _UNKNOWN} ({document['image'] or 'no image'})"
    topics = document["topics"]
    yield "topics", _OF_ENGINE if topics is None else ", ".join(topics) or "none"
    yield "settings", _settings(document) or "defaults"
    yield from _of_ledger(document)
    if document["contained_error"]:
        yield "contained", f"unknown: {one_line(document['contained_error'])}"
    for each in document["contained"] or ():
        yield "contained", each["object"] + _end(each["until"])
    yield from _of_worker(document)


def _of_ledger(document: Mapping[str, Any]) -> Iterator[Tuple[str, str]]:
    if document["ledger_error"]:
        yield "ledger", one_line(document["ledger_error"])
        return
    yield "paused", paused_since(document["paused"]) if document["paused"] else "no"
    used = shown_budgets(document["budgets"])
    if used:
        yield "budgets", used
    tripped = document["tripped"].items()
    used_up = ", ".join(f"{place} (since {t.get('at', '')})" for place, t in sorted(tripped))
    yield "budget used up", used_up or "no"
    for each in document["left_alone"]:
        yield "left alone", f"{each['object']} until {each['until']}, undone by {each['by']}"


def _of_worker(document: Mapping[str, Any]) -> Iterator[Tuple[str, str]]:
    nats = document["nats"]
    if nats:
        yield "nats", nats["servers"] + (f": {one_line(nats['error'])}" if nats["error"] else "")
        if nats["stream"]:
            yield "stream", f"{nats['stream']}, {nats['messages']} messages"
    if document["worker_error"]:
        yield "worker", one_line(document["worker_error"])
        yield from ((name, _UNKNOWN) for name in ("held alerts", "dead letters", "last action"))
        return
    yield "held alerts", _by_reason(document["held"])
    yield "dead letters", _by_reason(document["dead_letters"])
    last = document["last_action"]
    said = f"{without_fraction(last.get('recorded', ''))} {last.get('message', '')}" if last else ""
    yield "last action", said or f"none within {HOURS} hours"


def _end(until: str) -> str:
    """A worker ends what is over within a minute: what is over stays, such as what another Function
    contained that was removed."""
    if not until:
        return ", no end"
    return f" until {until}" + ", which is over: falco-playbook undo ends it" * _is_over(until)


def _is_over(until: str) -> bool:
    return bool(until) and Instant.parse(until) < SystemClock().now()


def shown_budgets(budgets: Mapping[str, Mapping[str, Any]]) -> str:
    """Such as ``shop 2 of 10; all namespaces 1 of 30``; empty where nothing was done."""
    return "; ".join(_budget(place, each) for place, each in budgets.items())


def _budget(place: str, budget: Mapping[str, Any]) -> str:
    most = budget["limit"]
    where = "all namespaces" if place == "*" else place or "no namespace"
    return f"{where} {budget['used']} of {'no limit' if most is None else most}"


def _is_dry(document: Mapping[str, Any]) -> bool:
    return str(document["settings"].get(DRY_RUN.name)).lower() == "true"


def _settings(document: Mapping[str, Any]) -> str:
    return ", ".join(f"{k}={v}" for k, v in document["settings"].items())


def _ready(document: Mapping[str, Any]) -> str:
    ready = document["ready"]
    return _UNKNOWN if ready is None else f"{ready}/{document['replicas']}"


def _by_reason(counted: Optional[Mapping[str, int]]) -> str:
    """Such as ``3 (2 paused, 1 before-reset)``."""
    if not counted:
        return "0"
    reasons = ", ".join(f"{count} {reason}" for reason, count in counted.items())
    return f"{sum(counted.values())} ({reasons})"


def _sum(counted: Optional[Mapping[str, int]]) -> str:
    return _UNKNOWN if counted is None else str(sum(counted.values()))
