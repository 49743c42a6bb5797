"""The book: whether one more action is all right, and what is written down about it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Dict, Iterator, List, Optional, Tuple

from playbooks.core.answer import Answer
from playbooks.core.durations import shown
from playbooks.core.instant import NANOSECONDS, Instant
from playbooks.core.ledger.limits import Limits

# Stands for all namespaces.
ALL = "*"

# Seconds of the grain in which actions are counted: one counts up to this much longer than the
# window, never shorter.
GRAIN = 10

# Seconds for which a node counts as tainted that is about to be.
TAINTING = 60.0

# Seconds after which nothing asks for a reset any more.
REMEMBERED = 30 * 86400

VERSION = 1


@dataclass(frozen=True)
class Request:
    """One action that asks for a place. ``workload`` and ``replicas``: what the pod belongs to.

    ``node``: the one to be tainted, ``tainted`` those that are. ``released``: a person let the
    alert go on.
    """

    uid: str
    namespace: str
    alert_time: Instant
    workload: str = ""
    replicas: Optional[int] = None
    node: str = ""
    tainted: Tuple[str, ...] = ()
    released: bool = False


class Book:
    """Read from its text, and written back when ``changed``. Times are RFC 3339."""

    def __init__(self, text: str = "") -> None:
        """Raises ValueError where the text is no book."""
        content = json.loads(text) if text else {"version": VERSION}
        if not isinstance(content, dict) or content.get("version") != VERSION:
            raise ValueError(f"expected a book of version {VERSION}")
        self.paused: Optional[Dict[str, str]] = content.get("paused")
        self.tripped: Dict[str, Dict[str, str]] = content.get("tripped", {})
        self.resets: Dict[str, Dict[str, str]] = content.get("resets", {})
        self.undone: Dict[str, Dict[str, str]] = content.get("undone", {})
        self._tainting: Dict[str, str] = content.get("tainting", {})
        # Grain (seconds) -> namespace -> workload -> the marks of the objects acted upon.
        self._actions: Dict[str, Dict[str, Dict[str, List[str]]]] = content.get("actions", {})
        self.changed = False

    def text(self) -> str:
        content = {
            "version": VERSION,
            "paused": self.paused,
            "tripped": self.tripped,
            "resets": self.resets,
            "undone": self.undone,
            "tainting": self._tainting,
            "actions": self._actions,
        }
        return json.dumps({key: value for key, value in content.items() if value})

    def ask(self, request: Request, limits: Limits, now: Instant) -> Answer:
        """Write the action down, or refuse it. The same object again within the window is no
        further action."""
        stopped = self._stopped(request, now)
        if stopped:
            return stopped
        self._forget(limits, now)
        if any(_mark(request.uid) == mark for *_, mark in self._counted()):
            return Answer(f"counted already within {shown(limits.window)}")
        refused = self._exceeded(request, limits, now)
        if refused:
            return refused
        self._note(request, limits, now)
        return Answer("; ".join(self._standing(request, limits)))

    # What a person does

    def pause(self, by: str, now: Instant, why: str = "") -> None:
        self.paused = {"by": by, "at": str(now), "why": why}
        self.changed = True

    def resume(self) -> None:
        self.changed = self.changed or self.paused is not None
        self.paused = None

    def reset(self, namespace: str, by: str, now: Instant) -> None:
        """Let a namespace (``*``: everything) begin anew. Alerts from before stay held."""
        places = (namespace,) if namespace != ALL else (*self.tripped, ALL)
        for place in places:
            self.tripped.pop(place, None)
            self.resets[place] = {"by": by, "at": str(now)}
        for spaces in self._actions.values():
            for place in list(spaces) if namespace == ALL else [namespace]:
                spaces.pop(place, None)
        self.changed = True

    def leave_alone(self, uid: str, what: str, by: str, until: Instant) -> None:
        """Somebody undid what was done to this object: not again before ``until``."""
        self.undone[uid] = {"what": what, "by": by, "until": str(until)}
        self.changed = True

    # What stops everything

    def _stopped(self, request: Request, now: Instant) -> Optional[Answer]:
        if self.paused:
            by, at, why = (self.paused.get(key, "") for key in ("by", "at", "why"))
            said = f"paused by {by} at {at}{': ' * bool(why)}{why}"
            return Answer.refused("paused", said, held=True)
        undone = self.undone.get(request.uid)
        if undone and now < Instant.parse(undone["until"]) and not request.released:
            said = f"{undone['by']} undid it, and it is left alone until {undone['until']}"
            return Answer.refused("undone", said)
        for place in (request.namespace, ALL):
            if place in self.tripped:
                return self._used_up(place)
            reset = self.resets.get(place)
            if reset and request.alert_time < Instant.parse(reset["at"]) and not request.released:
                said = f"the alert is from before the reset by {reset['by']} at {reset['at']}"
                return Answer.refused("before-reset", said, held=True)
        return None

    def _used_up(self, place: str, *, first: bool = False) -> Answer:
        trip = self.tripped[place]
        where = "all namespaces" if place == ALL else f"namespace {place}"
        said = f"the budget of {where} tripped at {trip['at']}: {trip['limit']}"
        facts = {"tripped": place, "first": first}
        return Answer.refused("budget-used-up", said, held=True, **facts)

    # What is counted

    def _exceeded(self, request: Request, limits: Limits, now: Instant) -> Optional[Answer]:
        within, here = shown(limits.window), self._count(request.namespace)
        counts = (
            (ALL, self._count(), limits.in_all, "MAX_ACTIONS_ALL"),
            (request.namespace, here, limits.in_namespace, "MAX_ACTIONS"),
        )
        for place, count, most, setting in counts:
            if most is not None and count >= most:
                limit = f"{count} actions in {within}, {setting} is {most}"
                self.tripped[place] = {"at": str(now), "limit": limit}
                self.changed = True
                return self._used_up(place, first=True)
        most_of_owner = _most(request, limits)
        owned = self._count(request.namespace, request.workload)
        if most_of_owner is not None and owned >= most_of_owner:
            said = (
                f"{owned} of the pods of {_workload(request)} in {within}, at most {most_of_owner}"
            )
            return Answer.refused("owner-limit", said, held=True)
        return self._too_many_nodes(request, limits, now)

    def _too_many_nodes(self, request: Request, limits: Limits, now: Instant) -> Optional[Answer]:
        if not request.node or limits.nodes is None:
            return None
        soon = {n for n, at in self._tainting.items() if _age(at, now) < TAINTING}
        others = sorted((soon | set(request.tainted)) - {request.node})
        if len(others) < limits.nodes:
            return None
        said = f"{', '.join(others)} tainted, and MAX_NODES is {limits.nodes}"
        return Answer.refused("node-limit", said, held=True)

    def _note(self, request: Request, limits: Limits, now: Instant) -> None:
        if request.node and limits.nodes is not None:
            self._tainting[request.node] = str(now)
            self.changed = True
        if limits.counting:
            grain = self._actions.setdefault(str(now.seconds // GRAIN * GRAIN), {})
            workloads = grain.setdefault(request.namespace, {})
            workloads.setdefault(request.workload, []).append(_mark(request.uid))
            self.changed = True

    def _standing(self, request: Request, limits: Limits) -> Iterator[str]:
        within, place = shown(limits.window), request.namespace or "the nodes themselves"
        if limits.in_namespace is not None:
            here = self._count(request.namespace)
            yield f"{here} of {limits.in_namespace} actions in {within} in {place}"
        if limits.in_all is not None:
            yield f"{self._count()} of {limits.in_all} in all"
        most = _most(request, limits)
        if most is not None:
            owned = self._count(request.namespace, request.workload)
            yield f"{owned} of {most} pods of {_workload(request)}"
        if not limits.counting:
            yield "not paused, and no budget is set"

    def _count(self, namespace: Optional[str] = None, workload: Optional[str] = None) -> int:
        return sum(
            namespace in (None, space) and workload in (None, owner)
            for space, owner, _ in self._counted()
        )

    def _counted(self) -> Iterator[Tuple[str, str, str]]:
        for spaces in self._actions.values():
            for space, workloads in spaces.items():
                for owner, marks in workloads.items():
                    for mark in marks:
                        yield space, owner, mark

    def _forget(self, limits: Limits, now: Instant) -> None:
        oldest = now.seconds - limits.window - GRAIN
        self._actions = {grain: v for grain, v in self._actions.items() if int(grain) > oldest}
        self._tainting = {n: at for n, at in self._tainting.items() if _age(at, now) < TAINTING}
        self.undone = {uid: v for uid, v in self.undone.items() if now < Instant.parse(v["until"])}
        self.resets = {n: v for n, v in self.resets.items() if _age(v["at"], now) < REMEMBERED}


def _most(request: Request, limits: Limits) -> Optional[int]:
    """How many pods of the request's workload at most; None: no limit, or no workload."""
    if limits.per_owner is None or not request.workload:
        return None
    return max(1, int(limits.per_owner * (request.replicas or 1)))


def _workload(request: Request) -> str:
    number = "unknown" if request.replicas is None else str(request.replicas)
    return f"{request.workload} (replicas {number})"


def _mark(uid: str) -> str:
    """48 bits are enough to tell a few thousand objects apart."""
    return sha256(uid.encode()).hexdigest()[:12]


def _age(at: str, now: Instant) -> float:
    return now.seconds_since(Instant.parse(at))


def after(now: Instant, seconds: float) -> Instant:
    return Instant(now.nanoseconds + int(seconds * NANOSECONDS))
