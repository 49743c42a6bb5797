"""Alerts of files and of standard input, one a line."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Iterator, Sequence, Tuple

from playbooks.engines.local import CannotStart

STANDARD_INPUT = "-"


def lines(files: Sequence[str]) -> Iterator[Tuple[bytes, str]]:
    """Each line that is not blank, and where it stands: ``alerts.jsonl:3``."""
    for file in files:
        if file == STANDARD_INPUT:
            yield from _numbered(iter(sys.stdin.buffer.readline, b""), "standard input")
        else:
            with Path(file).open("rb") as stream:
                yield from _numbered(iter(stream.readline, b""), Path(file).name)


def check(files: Sequence[str]) -> None:
    """Raises CannotStart where one cannot be read."""
    for file in files:
        if file == STANDARD_INPUT:
            continue
        # Not opened: of a pipe, that would be the only time. Path's raises OSError for what is
        # longer than a name may be.
        if not os.path.exists(file):  # noqa: PTH110
            raise CannotStart(f"{file} cannot be read: there is no such file")
        if Path(file).is_dir() or not os.access(file, os.R_OK):
            raise CannotStart(f"{file} cannot be read")


def _numbered(stream: Iterator[bytes], name: str) -> Iterator[Tuple[bytes, str]]:
    for number, line in enumerate(stream, start=1):
        if line.strip():
            yield line.strip(), f"{name}:{number}"
