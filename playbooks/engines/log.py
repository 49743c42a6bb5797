"""The log of an engine: one JSON line for each thing that is said, on standard error.

What became of alerts has lines of its own: ``outcome_log``.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
import traceback
from typing import Any, Mapping, TextIO

from playbooks.core.instant import Instant
from playbooks.core.notifications.plain_text import plain_lines
from playbooks.core.redaction.redaction import Redaction

_ALL = Redaction()

# Characters of a traceback, of its beginning and of its end.
LONGEST_HALF = 4000


def say(level: str, message: str, **facts: Any) -> None:
    """``level``: info, warning or error."""
    write({"level": level, "message": message, **facts}, sys.stderr)


def info(message: str, **facts: Any) -> None:
    say("info", message, **facts)


def warn(message: str, **facts: Any) -> None:
    say("warning", message, **facts)


def error(message: str, **facts: Any) -> None:
    say("error", message, **facts)


def write(document: Mapping[str, Any], stream: TextIO) -> None:
    """One JSON line, behind ``time``: when it was written, RFC 3339."""
    stamped = {"time": str(Instant(time.time_ns())), **document}
    write_line(json.dumps(stamped, default=str), stream)


def write_line(line: str, stream: TextIO) -> None:
    """In one piece: threads and processes that share a log would tear what is written in two."""
    stream.write(line + "\n")
    stream.flush()


def traceback_of(error: BaseException, redaction: Redaction = _ALL) -> str:
    """Down to its cause, redacted; of a long one the beginning and the end."""
    said = traceback.format_exception(type(error), error, error.__traceback__)
    text = plain_lines(redaction.text("".join(said)))
    if len(text) <= 2 * LONGEST_HALF:
        return text
    return f"{text[:LONGEST_HALF]}\n[...]\n{text[-LONGEST_HALF:]}"


class Lines(logging.Handler):
    """What others log by the standard library, as lines like the others."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except Exception:  # arguments that do not fit
            message = str(record.msg)
        cause = record.exc_info[1] if record.exc_info else None
        facts = {"traceback": traceback_of(cause)} if cause is not None else {}
        say(record.levelname.lower(), message, **facts)


def take_over() -> None:
    """From now on Python's own warnings and tracebacks, and what libraries log, are lines like the
    others: each line of standard error is one JSON object."""
    logging.getLogger().addHandler(Lines(logging.WARNING))
    logging.captureWarnings(capture=True)
    threading.excepthook = lambda args: _uncaught("a thread ended", args.exc_value)
    sys.unraisablehook = lambda args: _uncaught("an error was ignored", args.exc_value)
    sys.excepthook = lambda kind, value, trace: _uncaught("ended", value)  # noqa: ARG005


def _uncaught(what: str, raised: Any) -> None:
    if raised is not None and not isinstance(raised, SystemExit):
        error(f"{what}: {type(raised).__name__}", traceback=traceback_of(raised))
