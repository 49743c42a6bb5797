"""Ctrl-C as a terminal sends it, also where the specs run in the background of a shell, which
ignores it for them and their children."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import Iterator


@contextmanager
def ctrl_c_arrives() -> Iterator[None]:
    """In this process, while it is entered."""
    was = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, was)


def let_ctrl_c_arrive() -> None:
    """For a child, as the ``preexec_fn`` of its Popen."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
