"""What a worker logs of an alert: lines that its own code wrote."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any, Dict, Mapping, Set

from playbooks.core.errors import SlackUnavailable, Unexpected
from playbooks.core.instant import Instant
from playbooks.core.ledger.book import Book, Request
from playbooks.core.ledger.limits import SETTINGS, Limits
from playbooks.core.outcome import Outcome, Status
from playbooks.core.proof import Proven
from playbooks.core.settings import read
from playbooks.engines import outcome_log
from playbooks.engines.worker.nats.delivery import Delivery, Origin
from playbooks.engines.worker.work.settlement import shown
from playbooks.engines.worker.work.verdict import Again, Dead, Done, Verdict
from playbooks.testing import NOW, a_pod

BODY = b'{"rule": "R", "priority": "Error", "time": "2026-01-02T03:04:05Z", "output": "o"}'


def line() -> Dict[str, Any]:
    """One with everything that a line can have, of those of all that may become of an alert."""
    proven = Proven(a_pod(), "its uid")
    done = Outcome.acted(str(proven.pod), "deletion-accepted", "done", **proven.facts)
    acted = replace(done, trace_id="0af7651916cd43dd8448eb211c80319c")
    failed = Outcome.failed(SlackUnavailable("no answer"))
    request = Request("another", "shop", NOW)
    book, limits = Book(), Limits.of(read(SETTINGS, {"MAX_ACTIONS": "1"}))
    book.ask(Request("one", "shop", NOW), limits, NOW)
    used_up = book.ask(request, limits, NOW).outcome()
    looked = {"follows": "done", "holds": True}
    lines = [
        _logged(acted, Done()),
        _logged(failed, Again(1.0)),
        _logged(failed, Dead("r", "m")),
        _logged(used_up, Dead("r", "m", held=True)),
        _logged(Outcome.acted("t", "done", "done", again=1), Done()),
        _logged(Outcome(Status.LOOKED, "verified", "so", "t", looked), Done()),
    ]
    details = {key: value for each in lines for key, value in each["details"].items()}
    bug = _logged(Outcome.failed(Unexpected("a bug")), Dead("r", "m"))
    return {**lines[0], "details": details, "traceback": bug["traceback"]}


def fields() -> Set[str]:
    """As Loki's ``json`` names them: nested ones joined by an underscore."""
    return _flat(line())


def _flat(document: Mapping[str, Any], prefix: str = "") -> Set[str]:
    found: Set[str] = set()
    for key, value in document.items():
        name = f"{prefix}{key}"
        found |= _flat(value, f"{name}_") if isinstance(value, dict) else {name}
    return found


def _logged(outcome: Outcome, decided: Verdict) -> Dict[str, Any]:
    origin = Origin("FALCO", 1, Instant(0), 1)
    channel: Any = None
    delivery = Delivery("falco.>", "falco.error.r", BODY, origin, channel)
    stream = io.StringIO()
    said = shown(delivery, outcome, decided)
    outcome_log.record("delete", BODY, said, event_id=str(origin), stream=stream)
    logged: Dict[str, Any] = json.loads(stream.getvalue().splitlines()[-1])
    return logged
