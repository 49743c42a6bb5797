"""The book: whether one more action is all right, and what is written down about it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any, Dict, Iterable, Iterator, Optional, Tuple

from playbooks.core.action import Answer
from playbooks.core.instant import Instant, shown
from playbooks.core.ledger.contained import MOST_CONTAINED, MOST_CONTAINED_BYTES, Contained
from playbooks.core.ledger.counts import GRAIN, Counts, Sums, mark
from playbooks.core.ledger.legible import SOMEBODY, Legible
from playbooks.core.ledger.limits import Limits

# Stands for all namespaces.
ALL = "*"

# Seconds for which a node counts as contained that is about to be: as long as all attempts to write
# one can take.
CONTAINING = 180.0

# Seconds after which nothing asks for a reset any more.
REMEMBERED = 30 * 86400

# Seconds until people are told again that a target is left running, and those that are remembered.
TOLD = 3600.0
MOST_TOLD = 200

# The reason code where the same comes again and again, and the pods that are remembered for it.
RECURRING = "recurring"
MOST_RECURRING = 2000

VERSION = 1


@dataclass(frozen=True)
class Request:
    """One action that asks for a place. ``workload`` and ``replicas``: what the pod belongs to;
    ``pods``: how many of its pods the action ends.

    ``node``: the one to be contained, ``contained`` those that are, ``spare`` the others that take
    pods; None: that does not matter. ``released``: a person let the alert go on. ``urgent``: the
    alert is of Critical or above. ``step``: of a chain, whose steps are counted each by itself.
    ``rule``: the alert's; ``maker``: the proven controller of the
    pod and its uid, empty where there is none.
    """

    uid: str
    namespace: str
    alert_time: Instant
    workload: str = ""
    replicas: Optional[int] = None
    node: str = ""
    contained: Tuple[str, ...] = ()
    spare: Optional[Tuple[str, ...]] = None
    released: bool = False
    urgent: bool = False
    rule: str = ""
    maker: str = ""
    step: str = ""
    pods: int = 1


class Book:
    """Read from its text, and written back when ``changed``. Times are RFC 3339."""

    def __init__(self, text: str = "") -> None:
        """``dropped``: entries that nobody can read, in words; writing the book leaves them out.

        Raises ValueError where the text is no book.
        """
        content = json.loads(text) if text else {"version": VERSION}
        if not isinstance(content, dict) or content.get("version") != VERSION:
            raise ValueError(f"expected a book of version {VERSION}")
        legible = Legible(content)
        self.paused: Optional[Dict[str, str]] = legible.paused()
        self.tripped: Dict[str, Dict[str, str]] = legible.notes("tripped", time="at", stops=True)
        # Earlier versions stopped everything for good where the limit in all was reached.
        self.tripped.pop(ALL, None)
        self.resets: Dict[str, Dict[str, str]] = legible.notes("resets", time="at")
        self.undone: Dict[str, Dict[str, str]] = legible.notes("undone", time="until")
        self._contained: Dict[str, Contained] = legible.contained()
        self._containing: Dict[str, str] = legible.times("tainting")
        # What actions wait for, and since when people know.
        self._waiting: Dict[str, str] = legible.times("waiting")
        # What people were told, and when.
        self._told: Dict[str, str] = legible.times("told")
        # For a rule and a controller, the pods that were acted upon, and when.
        self._recurring: Dict[str, Dict[str, int]] = legible.moments("recurring")
        self._by_step = {step: Counts(found) for step, found in legible.actions().items()}
        self._counts = self._of_step("")
        self.dropped = tuple(legible.dropped)
        self.changed = bool(self.dropped)

    def text(self) -> str:
        content = {
            "version": VERSION,
            "paused": self.paused,
            "tripped": self.tripped,
            "resets": self.resets,
            "undone": self.undone,
            "contained": {uid: found.to_dict() for uid, found in self._contained.items()},
            "tainting": self._containing,
            "waiting": self._waiting,
            "told": self._told,
            "recurring": self._recurring,
            "actions": self._of_step("").content,
            "steps": {s: c.content for s, c in self._by_step.items() if s and c.content},
        }
        held = {key: value for key, value in content.items() if value}
        return json.dumps(held, separators=(",", ":"))

    def ask(self, request: Request, limits: Limits, now: Instant) -> Answer:
        """Write the action down, or refuse it. The same object again within the window is no
        further action, but from then on counts from then."""
        stopped = self._stopped(request, now)
        if stopped:
            return stopped
        self._counts = self._of_step(request.step)
        self._forget(limits, now)
        refused = self._too_many_nodes(request, limits)
        if refused:
            return refused
        counted = self._counts.has(request.uid, request.namespace)
        again = self._again(request)
        if not counted:
            refused = self._escalated(request, limits, now, again)
            refused = refused or self._exceeded(request, limits, now)
        if refused:
            return refused
        self._note(request, limits, now, counted=counted)
        if counted:
            return Answer(f"counted already within {shown(limits.window)}")
        words = "; ".join(self._standing(request, limits))
        if not again:
            return Answer(words)
        remark = f"again: {again} ({_recurring(request, again, limits)})"
        return Answer(words, facts={"again": again}, remark=remark)

    def _of_step(self, step: str) -> Counts:
        """What is counted of it; of a playbook that is no chain, with the empty name."""
        return self._by_step.setdefault(step, Counts({}))

    # What a person does

    def pause(self, by: str, now: Instant, why: str = "") -> None:
        self.paused = {"by": by, "at": str(now), "why": why}
        self.changed = True

    def resume(self) -> None:
        self.changed = self.changed or self.paused is not None
        self.paused = None

    def reset(self, namespace: str, by: str, now: Instant) -> None:
        """Let a namespace (``*``: everything) begin anew. Alerts from before are held.

        What was done in one namespace counts on in all.
        """
        places = (namespace,) if namespace != ALL else (*self.tripped, ALL)
        for place in places:
            self.tripped.pop(place, None)
            self.resets[place] = {"by": by, "at": str(now)}
        if namespace == ALL:
            self._by_step.clear()
            self._waiting.clear()
            self._recurring.clear()
        else:
            for counts in self._by_step.values():
                counts.begin_anew(namespace)
            theirs = [pair for pair in self._recurring if pair.startswith(f"{namespace}/")]
            for pair in theirs:
                del self._recurring[pair]
        self.changed = True

    def leave_alone(self, uid: str, what: str, by: str, until: Instant) -> None:
        """Somebody undid what was done to this object: not again before ``until``."""
        self.undone[uid] = {"what": what, "by": by, "until": str(until)}
        self.changed = True

    def act_again(self, uids: Iterable[str]) -> None:
        """End what ``leave_alone`` said of these objects."""
        for uid in uids:
            self.changed = self.undone.pop(uid, None) is not None or self.changed

    # What is contained

    @property
    def contained(self) -> Dict[str, Contained]:
        """By uid, in the order in which it was written last."""
        return dict(self._contained)

    def contain(self, contained: Contained) -> None:
        """Also what notes of another playbook stand there, where several share the ledger."""
        before = self._contained.pop(contained.uid, None)
        notes = {**(before.notes if before else {}), **contained.notes}
        self._contained[contained.uid] = replace(contained, notes=notes)
        self._forget_contained()
        self.changed = True

    def _forget_contained(self) -> None:
        """The oldest while they are too many or too long; never the last one."""
        size = sum(one.size for one in self._contained.values())
        for uid, one in list(self._contained.items())[:-1]:
            if len(self._contained) <= MOST_CONTAINED and size <= MOST_CONTAINED_BYTES:
                return
            del self._contained[uid]
            size -= one.size

    def release(self, uid: str, keys: Iterable[str]) -> None:
        """Forget these notes, and the object once it has none."""
        before = self._contained.get(uid)
        if before is None:
            return
        left = {key: note for key, note in before.notes.items() if key not in set(keys)}
        if left:
            self._contained[uid] = replace(before, notes=left)
        else:
            del self._contained[uid]
        self.changed = self.changed or left != before.notes

    # What was done

    def used(self, window: float, now: Instant) -> Dict[str, int]:
        """How many actions of the last ``window`` seconds count in each namespace: of a chain those
        of the step that has most."""
        used: Dict[str, int] = {}
        for counts in self._by_step.values():
            counts.forget(window, now)
            for namespace, number in counts.by_namespace().items():
                used[namespace] = max(number, used.get(namespace, 0))
        return used

    def shared(self) -> int:
        """Those among them that count towards MAX_ACTIONS_ALL."""
        return max((counts.sums.shared for counts in self._by_step.values()), default=0)

    # What people are told

    def tell(self, what: str, now: Instant) -> bool:
        """Whether people are to be told, because nobody told them within an hour."""
        at = self._told.get(what)
        if at is not None and abs(_age(at, now)) < TOLD:
            return False
        self._told = {key: at for key, at in self._told.items() if abs(_age(at, now)) < TOLD}
        self._told[what] = str(now)
        while len(self._told) > MOST_TOLD:
            del self._told[next(iter(self._told))]
        self.changed = True
        return True

    def untell(self, what: str) -> None:
        """It could not be told."""
        self.changed = self._told.pop(what, None) is not None or self.changed

    # What stops everything

    def _stopped(self, request: Request, now: Instant) -> Optional[Answer]:
        if self.paused:
            by, at, why = (self.paused.get(key, "") for key in ("by", "at", "why"))
            said = f"paused by {by} at {at}{': ' * bool(why)}{why}"
            return Answer.refused("paused", said, held=True)
        undone = self.undone.get(request.uid)
        if undone and now < Instant.parse(undone["until"]) and not request.released:
            by = undone.get("by", SOMEBODY)
            said = f"{by} released it; no action until {undone['until']}"
            return Answer.refused("undone", said)
        if request.namespace in self.tripped:
            return self._used_up(request.namespace)
        for place in (request.namespace, ALL):
            reset = self.resets.get(place)
            if reset and request.alert_time < Instant.parse(reset["at"]) and not request.released:
                by = reset.get("by", SOMEBODY)
                said = f"the alert is from before the reset by {by} at {reset['at']}"
                return Answer.refused("before-reset", said, held=True)
        return None

    def _used_up(self, namespace: str, *, first: bool = False) -> Answer:
        trip = self.tripped[namespace]
        said = (
            f"the budget of {_words(namespace)} is used up since {trip['at']}: {trip['limit']}; it"
            f" stays used up until `falco-playbook reset -p NAME --budget-of {namespace}`, and this"
            " alert is held"
        )
        return Answer.refused("budget-used-up", said, held=True, tripped=namespace, first=first)

    # What is counted

    def _exceeded(self, request: Request, limits: Limits, now: Instant) -> Optional[Answer]:
        """A namespace that used up its budget stays stopped; the others wait for the window."""
        within, place = shown(limits.window), request.namespace
        here = self._counts.number(place)
        if limits.in_namespace is not None and here >= limits.in_namespace:
            limit = f"{here} actions in {within}, MAX_ACTIONS is {limits.in_namespace}"
            self.tripped[place] = {"at": str(now), "limit": limit}
            self.changed = True
            return self._used_up(place, first=True)
        return self._too_many(request, limits, now) or self._too_many_of_owner(request, limits, now)

    def _too_many(self, request: Request, limits: Limits, now: Instant) -> Optional[Answer]:
        most = limits.shared(urgent=request.urgent)

        def fits(sums: Sums) -> bool:
            return most is None or sums.shared < most or not sums.number(request.namespace)

        if fits(self._counts.sums):
            return None
        reserved = "" if request.urgent else f", and {most} below Critical"
        said = (
            f"{self._counts.sums.shared} actions in {shown(limits.window)} in all namespaces,"
            f" beside the first in each: MAX_ACTIONS_ALL is {limits.in_all}{reserved}"
        )
        wait = self._counts.until(fits, limits.window, now)
        place = f"{ALL}/critical" if request.urgent else ALL
        facts = {"tripped": ALL, **self._waits(place, now)}
        return Answer.refused("budget-used-up", _when(said, wait), held=True, waits=wait, **facts)

    def _too_many_of_owner(
        self, request: Request, limits: Limits, now: Instant
    ) -> Optional[Answer]:
        most, owner = _most(request, limits), (request.namespace, mark(request.workload))

        def fits(sums: Sums) -> bool:
            return most is None or sums.number(*owner) + request.pods <= most

        if most is not None and request.pods > most:
            return self._too_many_at_once(request, most)
        if fits(self._counts.sums):
            return None
        said = (
            f"acted upon {self._counts.sums.number(*owner)} of the pods of {_workload(request)} in"
            f" {shown(limits.window)}, MAX_PER_OWNER allows at most {most}: its replacement may"
            " have the same hole"
        )
        wait = self._counts.until(fits, limits.window, now)
        facts = self._waits("/".join(owner), now)
        return Answer.refused("owner-limit", _when(said, wait), held=True, waits=wait, **facts)

    @staticmethod
    def _too_many_at_once(request: Request, most: int) -> Optional[Answer]:
        """No window ever allows it, but a person may."""
        if request.released:
            return None
        said = (
            f"{request.pods} of the pods of {_workload(request)} would go, at most {most}"
            " (MAX_PER_OWNER)"
        )
        return Answer.refused("owner-limit", said, held=True)

    def _again(self, request: Request) -> int:
        """How many other pods of the same controller the same rule was acted upon for."""
        return len(set(self._recurring.get(_pair(request), ())) - {mark(request.uid)})

    def _escalated(
        self, request: Request, limits: Limits, now: Instant, again: int
    ) -> Optional[Answer]:
        if limits.again is None or again < limits.again or request.released:
            return None
        said = (
            f"{_recurring(request, again, limits)}; ESCALATE_AFTER is {limits.again}, and this"
            " alert is held for a person"
        )
        first = self._waits(f"recurring/{_pair(request)}", now)["first"]
        return Answer.refused("recurring", said, held=True, again=again, first=first)

    def _waits(self, place: str, now: Instant) -> Dict[str, Any]:
        """Facts of a refusal that time ends. ``place``: what else waits for the same."""
        first = place not in self._waiting
        if first:
            self._waiting[place] = str(now)
            self.changed = True
        return {"first": first, "waits_for": place}

    def _too_many_nodes(self, request: Request, limits: Limits) -> Optional[Answer]:
        if not request.node:
            return None
        soon = set(self._containing) - {request.node}
        others = sorted(soon | set(request.contained) - {request.node})
        if limits.nodes is not None and len(others) >= limits.nodes:
            said = f"{', '.join(others)} contained already, and MAX_NODES is {limits.nodes}"
            return Answer.refused("node-limit", said, held=True)
        if request.spare is not None and not set(request.spare) - soon:
            said = f"{', '.join(sorted(soon))} are being contained, and no other node takes pods"
            return Answer.refused("last-node", said, held=True)
        return None

    def _note(self, request: Request, limits: Limits, now: Instant, *, counted: bool) -> None:
        if request.node:
            self._containing[request.node] = str(now)
            self.changed = True
        if request.maker and request.rule and limits.counting:
            self._remember(request, now)
        action = (request.uid, request.namespace, request.workload, now)
        if counted:
            self.changed = self._counts.renew(*action) or self.changed
        elif limits.counting:
            self._counts.add(*action)
            self.changed = True

    def _remember(self, request: Request, now: Instant) -> None:
        grain = now.seconds // GRAIN * GRAIN
        known = self._recurring.setdefault(_pair(request), {})
        self.changed = known.get(mark(request.uid)) != grain or self.changed
        known[mark(request.uid)] = grain
        while sum(map(len, self._recurring.values())) > MOST_RECURRING:
            del self._recurring[next(iter(self._recurring))]

    def _standing(self, request: Request, limits: Limits) -> Iterator[str]:
        within, place = shown(limits.window), request.namespace
        if limits.in_namespace is not None:
            here = self._counts.number(place)
            yield f"{here} of {limits.in_namespace} actions in {within} in {_words(place)}"
        shared = limits.shared(urgent=request.urgent)
        if shared is not None:
            number = self._counts.sums.shared
            yield f"{number} of {shared} that all namespaces share, beside the first of each"
        most = _most(request, limits)
        if most is not None:
            owned = self._counts.number(place, request.workload)
            yield f"{owned} of at most {most} of the pods of {_workload(request)}"
        if not limits.counting:
            yield "not paused, and no budget is set"

    def _forget(self, limits: Limits, now: Instant) -> None:
        self._counts.forget(limits.window, now)
        oldest = now.seconds - limits.recurring - GRAIN
        for pair, known in list(self._recurring.items()):
            if min(known.values(), default=0) > oldest:
                continue
            left = {uid: at for uid, at in known.items() if at > oldest}
            if left:
                self._recurring[pair] = left
            else:
                del self._recurring[pair]
        self._containing = {
            n: at for n, at in self._containing.items() if _age(at, now) < CONTAINING
        }
        self._waiting = {p: at for p, at in self._waiting.items() if _age(at, now) < limits.window}
        self.undone = {uid: v for uid, v in self.undone.items() if now < Instant.parse(v["until"])}
        self.resets = {n: v for n, v in self.resets.items() if _age(v["at"], now) < REMEMBERED}


def _most(request: Request, limits: Limits) -> Optional[int]:
    """How many pods of the request's workload at most; None: no limit, or no workload."""
    if limits.per_owner is None or not request.workload:
        return None
    # 0.29 * 100 is a little less than 29.
    return max(1, int(limits.per_owner * (request.replicas or 1) + 1e-9))


def _pair(request: Request) -> str:
    """The mark of a rule and a controller; of no request without both."""
    if not request.maker or not request.rule:
        return ""
    return f"{request.namespace}/{mark(chr(0).join((request.maker, request.rule)))}"


def _recurring(request: Request, again: int, limits: Limits) -> str:
    kind, name = request.maker.split(" ")[:2]
    pods = f"{again} other {'pod' if again == 1 else 'pods'} of {kind} {name}"
    within = shown(limits.recurring)
    return f"within {within} this rule was acted upon for {pods}: its replacement has the same hole"


def _workload(request: Request) -> str:
    number = "unknown" if request.replicas is None else str(request.replicas)
    return f"{request.workload} (replicas {number})"


def _when(said: str, wait: float) -> str:
    return f"{said}; the window allows it in {shown(wait)}"


def _words(place: str) -> str:
    return f"namespace {place}" if place else "no namespace"


def _age(at: str, now: Instant) -> float:
    return now.seconds_since(Instant.parse(at))
