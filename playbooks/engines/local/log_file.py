"""Where a run in the foreground logs: one file for each playbook, which the next run takes over."""

from __future__ import annotations

import fcntl
import os
import tempfile
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Dict, Iterator, Mapping

# Runs of one playbook at the same time that have a file each.
MOST = 20

# Kept open: each holds the lock of a file that this process logs to.
_locks: Dict[Path, int] = {}


def log_file(playbook: str, environ: Mapping[str, str]) -> Path:
    """``$XDG_STATE_HOME/falco-playbooks/PLAYBOOK.log`` (``~/.local/state``), empty, for its owner
    alone; PLAYBOOK-2.log while another run logs there. A temporary file where that cannot be.

    Source: https://specifications.freedesktop.org/basedir-spec/latest
    """
    with suppress(OSError, RuntimeError):
        home = Path(environ.get("HOME") or "~").expanduser()
        state = Path(environ.get("XDG_STATE_HOME") or home / ".local" / "state")
        directory = state / "falco-playbooks"
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for number in range(1, MOST + 1):
            path = directory / (f"{playbook}.log" if number == 1 else f"{playbook}-{number}.log")
            if _taken_over(path):
                return path
    descriptor, name = tempfile.mkstemp(prefix=f"falco-{playbook}-", suffix=".log")
    os.close(descriptor)
    return Path(name)


def _taken_over(path: Path) -> bool:
    """False while another process logs to it. Raises OSError."""
    if path in _locks:
        os.ftruncate(_locks[path], 0)
        return True
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    os.ftruncate(descriptor, 0)
    _locks[path] = descriptor
    return True


@contextmanager
def logged(path: Path) -> Iterator[None]:
    """The file gets what is printed meanwhile: the report alone is on the terminal."""
    stream = path.open("a", 1, encoding="utf-8", errors="backslashreplace")
    with stream, redirect_stdout(stream), redirect_stderr(stream):
        yield
