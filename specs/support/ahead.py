"""What processes of their own answer, asked for when a spec's file is loaded: they run on another
core while other specs do, and an example waits for its own answer only."""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Mapping, Optional, Sequence, TypeVar

from specs.support.processes import ROOT

T = TypeVar("T")

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
