"""What the worker says beside the outcomes: one JSON line each, on standard error."""

from __future__ import annotations

import logging
import sys
from typing import Any

from playbooks.engines.outcome_log import write

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
    """What other layers log by the standard library, as lines like the others."""

    def emit(self, record: logging.LogRecord) -> None:
        say(record.levelname.lower(), record.getMessage())
