"""Processes that specs start: from where, on which port, and how long they are waited for."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def free_port(address: str = "127.0.0.1") -> int:
    with socket.socket() as listening:
        listening.bind((address, 0))
        return int(listening.getsockname()[1])


def eventually(check: Any, seconds: float = 20.0, every: float = 0.05) -> Any:
    """What ``check`` returns, once that is true; AssertionError after so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s")
        time.sleep(every)
