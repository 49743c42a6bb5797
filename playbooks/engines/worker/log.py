"""What the worker says beside the outcomes: one JSON line each, on standard error."""

from __future__ import annotations

import logging
import sys
import threading
from typing import Any

from playbooks.engines.outcome_log import traceback_of, write

# Reasons of warnings about the worker itself, in ``reason``; a later line ends one with ``over``.
NATS_UNAUTHORIZED = "nats-unauthorized"


def say(level: str, message: str, **facts: Any) -> None:
    """``level``: info, warning or error. Outcomes have lines of their own (engines/outcome_log)."""
    write({"level": level, "message": message, **facts}, sys.stderr)


def info(message: str, **facts: Any) -> None:
    say("info", message, **facts)


def warn(message: str, **facts: Any) -> None:
    say("warning", message, **facts)


def error(message: str, **facts: Any) -> None:
    say("error", message, **facts)


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
