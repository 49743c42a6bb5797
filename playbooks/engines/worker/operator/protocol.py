"""How falco-playbook and the program in a worker's pod talk: one JSON object a line.

The first line is ``{"protocol": VERSION}``, the last ``{"end": COUNT}`` or ``{"error": WHY}``: an
answer without it broke off. Both sides import this module, and each refuses another version.
"""

from __future__ import annotations

import json
from typing import Any, Mapping

#: Run in the pod as ``python3 -m PROGRAM VERB ...``.
PROGRAM = "playbooks.engines.worker.operator"

#: Changes whenever a verb, its arguments or its lines change, so that they cannot be mixed up.
VERSION = 2

DEAD_LETTERS, REDELIVER, DROP = "dead-letters", "redeliver", "drop"
HISTORY, NOTE, INSPECT, ALERTS, STATE = "history", "note", "inspect", "alerts", "state"


class RequestFailed(Exception):
    """What an operator asks for cannot be done. The words say why."""


def say(document: Mapping[str, Any]) -> None:
    print(json.dumps(document), flush=True)


def begin() -> None:
    """The first line of an answer."""
    say({"protocol": VERSION})


def end(count: int) -> int:
    """The last line of a whole answer, and the exit code."""
    say({"end": count})
    return 0


def fail(why: str) -> int:
    """The last line of an answer that broke off, and the exit code."""
    say({"error": why})
    return 1
