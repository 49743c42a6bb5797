"""Processes that specs start: from where, on which port, and how long they are waited for.

Some are asked ahead, when a spec's file is loaded: they run on another core while other specs do,
and an example waits for its own answer only.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import random
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping, Optional, Sequence, TypeVar

T = TypeVar("T")
P = TypeVar("P", bound="LoggedProcess")

# Of linux/prctl.h.
_PR_SET_PDEATHSIG = 1

ROOT = Path(__file__).resolve().parents[2]

# Below ip_local_port_range, in an order of this process alone.
_PORTS = itertools.cycle(random.sample(range(15_000, 30_000), 15_000))


def free_port(address: str = "127.0.0.1") -> int:
    """One on which nobody listens, and another each time. None of those that the system gives
    whoever connects: it could be in use before somebody listens on it."""
    while True:
        port = next(_PORTS)
        with socket.socket() as listening, suppress(OSError):
            listening.bind((address, port))
            return port


def eventually(check: Callable[[], Any], seconds: float = 30.0, every: float = 0.1) -> Any:
    """What ``check`` returns, once it neither raises an AssertionError nor returns what is false.

    After ``seconds`` its last AssertionError is raised.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            found = check()
            if found:
                return found
            said = getattr(check, "__name__", "it")
            raise AssertionError(f"{said} did not become true within {seconds:.0f} s")
        except AssertionError:
            if time.monotonic() > deadline:
                raise
        time.sleep(every)


class LoggedProcess:
    """A process of a spec's own. What it says goes into the file ``path``."""

    process: subprocess.Popen[bytes]

    def __init__(self, path: Path) -> None:
        self.path = path

    def launch(self, words: Sequence[str], **options: Any) -> None:
        """``options``: of Popen."""
        with self.path.open("wb") as log:
            self.process = subprocess.Popen(words, **{"stdout": log, "stderr": log, **options})

    @property
    def log(self) -> str:
        return self.path.read_text()

    def says(self: P, words: str, seconds: float = 30.0, *, times: int = 1) -> P:
        """Wait until it has said the words so often."""
        try:
            eventually(lambda: self.log.count(words) >= times, seconds)
        except AssertionError:
            raise AssertionError(f"it did not say {words!r}, but:\n{self.log}") from None
        return self

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)

    def end(self, seconds: float = 30.0) -> int:
        """Its exit code, once it was asked to end."""
        self.process.terminate()
        return self.process.wait(seconds)


# One at a time: more of them would take the core of the specs.
_beside = ThreadPoolExecutor(1)


def ahead(ask: Callable[..., T], *given: Any) -> Future[T]:
    """What it returns, or raises. It runs beside specs that change this process' environment for a
    while: it takes none of it, nor standard output."""
    return _beside.submit(ask, *given)


def process(
    *words: str, cwd: Path = ROOT, env: Optional[Mapping[str, str]] = None
) -> Future[subprocess.CompletedProcess[str]]:
    """``env``: default: that of this process now."""
    return ahead(run, words, cwd, dict(os.environ if env is None else env))


def run(
    words: Sequence[str], cwd: Path, env: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=60
    )


@contextmanager
def ctrl_c_arrives() -> Iterator[None]:
    """Ctrl-C as a terminal sends it, in this process while it is entered: where the specs run in
    the background of a shell, that ignores it for them and their children."""
    was = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, was)


def end_with_specs() -> None:
    """As the ``preexec_fn`` of a Popen: also where this process is killed, the child is asked to
    end. For one that runs while other specs do, as Linux has it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def let_ctrl_c_arrive() -> None:
    """The same for a child, as the ``preexec_fn`` of its Popen."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
