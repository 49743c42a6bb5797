"""What a worker logs of an alert: lines that its own code wrote."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any, Dict, List, Mapping, Sequence, Set, Tuple

from playbooks.core.errors import SlackUnavailable, Unexpected
from playbooks.core.instant import Instant
from playbooks.core.ledger.book import Book, Request
from playbooks.core.ledger.limits import SETTINGS, Limits
from playbooks.core.outcome import Outcome, Status
from playbooks.core.proof import Proven
from playbooks.core.settings import read
from playbooks.engines import outcome_log
from playbooks.engines.worker.nats.delivery import Delivery, Origin
from playbooks.engines.worker.work.queue.waiting import WaitingAlerts
from playbooks.engines.worker.work.settlement import shown
from playbooks.engines.worker.work.verdict import Again, Dead, Done, Verdict, Wait
from playbooks.testing import NOW, a_document, a_pod

FIELDS = {
    "k8s.ns.name": "shop",
    "k8s.pod.name": "web-0",
    "k8s.pod.uid": "uid-1",
    "container.id": "1376fe875695",
}
BODY = json.dumps(a_document(output_fields=FIELDS)).encode()


def line() -> Dict[str, Any]:
    """One with everything that a line can have."""
    lines = logged()
    details = {key: value for each in lines for key, value in each["details"].items()}
    bug = _logged(Outcome.failed(Unexpected("a bug")), Dead("r", "m"))
    return {**lines[0], "details": details, "traceback": bug["traceback"]}


def logged() -> List[Dict[str, Any]]:
    """The lines of all that may become of an alert."""
    proven = Proven(a_pod(), "its uid")
    done = Outcome.acted(str(proven.pod), "deletion-accepted", "done", **proven.facts)
    acted = replace(done, trace_id="0af7651916cd43dd8448eb211c80319c")
    failed = Outcome.failed(SlackUnavailable("no answer"))
    request = Request("another", "shop", NOW)
    book, limits = Book(), Limits.of(read(SETTINGS, {"MAX_ACTIONS": "1"}))
    book.ask(Request("one", "shop", NOW), limits, NOW)
    used_up = book.ask(request, limits, NOW).outcome()
    looked, not_so = ({"follows": "done", "holds": holds} for holds in (True, False))
    waiting, waited = _waits()
    return [
        _logged(acted, Done()),
        _logged(failed, Again(1.0)),
        _logged(failed, Dead("r", "m")),
        _logged(used_up, Dead("r", "m", held=True)),
        _logged(Outcome.acted("t", "done", "done", again=1), Done()),
        _logged(Outcome(Status.LOOKED, "verified", "so", "t", looked), Done()),
        _logged(Outcome(Status.LOOKED, "not-verified", "not so", "t", not_so), Done()),
        _logged(waiting, Wait(1.0, instead=Dead("r", "m"))),
        _logged(waited, Done()),
        _logged(acted, Done(), rest=[_delivery(2)]),
    ]


def _waits() -> Tuple[Outcome, Outcome]:
    """One that waits for the window of a limit, and what it ends with."""
    book, limits = Book(), Limits.of(read(SETTINGS, {}))
    request = Request("one", "shop", NOW, workload="Deployment web", replicas=1)
    book.ask(request, limits, NOW)
    over = book.ask(replace(request, uid="another"), limits, NOW).outcome()
    place = WaitingAlerts().place(_delivery(1))
    place.take(over)
    return over, place.noted(Outcome.skipped("pod-gone", "gone"))


def fields() -> Set[str]:
    """As Loki's ``json`` names them: nested ones joined by an underscore."""
    return _flat(line())


def _flat(document: Mapping[str, Any], prefix: str = "") -> Set[str]:
    found: Set[str] = set()
    for key, value in document.items():
        name = f"{prefix}{key}"
        found |= _flat(value, f"{name}_") if isinstance(value, dict) else {name}
    return found


def _delivery(sequence: int) -> Delivery:
    channel: Any = None
    origin = Origin("FALCO", sequence, Instant(0), 1)
    return Delivery("falco.>", "falco.error.r", BODY, origin, channel)


def _logged(outcome: Outcome, decided: Verdict, rest: Sequence[Delivery] = ()) -> Dict[str, Any]:
    delivery, stream = _delivery(1), io.StringIO()
    said = shown(delivery, outcome, decided, rest)
    outcome_log.record("delete", BODY, said, event_id=str(delivery.origin), stream=stream)
    logged: Dict[str, Any] = json.loads(stream.getvalue().splitlines()[-1])
    return logged
