"""Calls a playbook as Kubeless' Python runtime does: a process per alert, pickled.

Source: kubeless/runtimes, ``stable/python/_kubeless.py``.
"""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import queue
import random
import signal
import string
import sys
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Dict, Mapping, Tuple

from playbooks.core.errors import PermanentError, PlaybookError, Unexpected
from playbooks.core.outcome import Outcome
from playbooks.engines.kubeless import Handler

# Seconds between two looks at whether the process is still there.
PULSE = 0.01

# Seconds that a process gets to end after its answer, and again after SIGTERM.
PATIENCE = 0.5


class TimedOut(PermanentError):
    """The process ran longer than the function's timeout. Kubeless answers 408."""

    reason = "timed-out"


class NoAnswer(PermanentError):
    """The process ended, or answered with what cannot be read. Kubeless waits, then says 408."""

    reason = "no-answer"


class Processes:
    """Calls ``handler`` of a module. ``timeout`` in seconds; ``log`` gets what it writes."""

    def __init__(
        self,
        module: str,
        *,
        timeout: float,
        log: Path,
        handler: str = "handler",
    ) -> None:
        self._function = (module, handler)
        self._timeout = timeout
        self._log = log
        self._running: Any = None
        # What Kubeless does: children are forked from a server that has imported the module.
        if "forkserver" in multiprocessing.get_all_start_methods():
            self._context: Any = multiprocessing.get_context("forkserver")
            self._context.set_forkserver_preload(["__main__", module])
        else:
            self._context = multiprocessing.get_context("spawn")

    def warm_up(self) -> None:
        """Start the server of processes, with its imports, before the first alert comes."""
        process = self._context.Process(target=_nothing)
        process.start()
        process.join()

    def call(self, body: bytes) -> Outcome:
        """Never raises an Exception: what went wrong is the failed outcome's ``error``."""
        answers = self._context.Queue()
        process = self._context.Process(
            target=_answer,
            args=(answers, self._function, event(body), self._described, self._log),
        )
        process.start()
        self._running = process
        try:
            return self._read(answers, process)
        finally:
            self._running = None
            for end in (_nothing, process.terminate, process.kill):
                end()
                process.join(PATIENCE)
                if not process.is_alive():
                    break
            answers.close()

    def give_up(self) -> None:
        """End the process of the alert under way; its outcome is then that it gave no answer."""
        process = self._running
        if process is not None:
            process.terminate()

    @property
    def _described(self) -> Dict[str, Any]:
        return {
            "function-name": self._function[1],
            "timeout": self._timeout,
            "runtime": f"python{sys.version_info[0]}.{sys.version_info[1]}",
            "memory-limit": "0",
        }

    def _read(self, answers: Any, process: Any) -> Outcome:
        deadline = time.monotonic() + self._timeout
        while True:
            left = max(0.0, deadline - time.monotonic())
            try:
                return _outcome(answers.get(timeout=min(PULSE, left)))
            except queue.Empty:
                pass
            except Exception as error:
                return Outcome.failed(NoAnswer(f"its answer does not survive pickling: {error}"))
            if time.monotonic() >= deadline:
                process.terminate()
                return Outcome.failed(TimedOut(f"no answer in {self._timeout:g} s, ended"))
            if not process.is_alive() and answers.empty():
                how = f"its process ended with exit code {process.exitcode} and no answer"
                return Outcome.failed(NoAnswer(f"{how} (Kubeless would wait for its timeout)"))


def event(body: bytes) -> Dict[str, Any]:
    """What Kubeless' NATS trigger and runtime make of a message.

    A JSON object (or null) is parsed, anything else stays bytes.
    """
    data, kind = _decoded(body)
    now = datetime.now(timezone.utc)
    return {
        "data": data,
        "event-id": "".join(random.choices(string.ascii_letters + string.digits, k=11)),
        "event-type": kind,
        "event-time": f"{now:%Y-%m-%d %H:%M:%S.%f}000 +0000 UTC",
        "event-namespace": "natstriggers.kubeless.io",
        "extensions": {},
    }


def _decoded(body: bytes) -> Any:
    try:
        document = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        document = body
    if document is None or isinstance(document, Mapping):
        return document, "application/json"
    return body, "application/x-www-form-urlencoded"


def _answer(
    answers: Any,
    function: Tuple[str, str],
    event: Mapping[str, Any],
    context: Mapping[str, Any],
    log: Path,
) -> None:
    """In the process of the alert."""
    # Ctrl-C goes to all processes of a terminal; this one ends what it has begun.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with log.open("ab") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    try:
        answers.put(_handler(*function)(event, context))
    except Exception as error:
        answers.put(error)


def _handler(module: str, name: str) -> Handler:
    handler: Handler = getattr(importlib.import_module(module), name)
    return handler


def _outcome(answer: Any) -> Outcome:
    if isinstance(answer, PlaybookError):
        return Outcome.failed(answer)
    if isinstance(answer, Exception):
        return Outcome.failed(Unexpected(f"{type(answer).__name__}: {answer}"))
    try:
        return Outcome.of_dict(answer)
    except (KeyError, TypeError, ValueError):
        return Outcome.failed(NoAnswer(f"it returned {answer!r:.80}, expected an outcome"))


def _nothing() -> None:
    """Only starting a process starts the server of processes."""
