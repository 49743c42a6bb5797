"""The source of playbooks/, read once for all specs, and what it imports."""

from __future__ import annotations

import ast
import os
import sys
from collections import deque
from concurrent.futures import Future
from functools import lru_cache
from pathlib import Path
from typing import Deque, FrozenSet, List, Mapping, Tuple

from specs.support.processes import ROOT, ahead, run

PACKAGE = ROOT / "playbooks"


@lru_cache(maxsize=None)
def nodes_of(path: Path) -> Tuple[ast.AST, ...]:
    """All of the module's syntax tree, level by level."""
    return nodes_in(path.read_bytes())


@lru_cache(maxsize=None)
def nodes_in(source: bytes) -> Tuple[ast.AST, ...]:
    """The same of a source, in a third of the time of ast.walk."""
    found: List[ast.AST] = []
    waiting: Deque[ast.AST] = deque([ast.parse(source)])
    while waiting:
        node = waiting.popleft()
        found.append(node)
        for value in vars(node).values():
            if isinstance(value, ast.AST):
                waiting.append(value)
            elif isinstance(value, list):
                waiting.extend(each for each in value if isinstance(each, ast.AST))
    return tuple(found)


MODULES = (
    *("playbooks.delete", "playbooks.isolate", "playbooks.taint"),
    "playbooks.engines.worker.__main__",
)


@lru_cache(maxsize=None)
def imported() -> Future[FrozenSet[str]]:
    """By playbooks that act on a cluster and by the worker, in a process that has nothing else."""
    return ahead(_imported, dict(os.environ))


def _imported(environ: Mapping[str, str]) -> FrozenSet[str]:
    program = f"import sys, {', '.join(MODULES)}; print(*sys.modules)"
    done = run((sys.executable, "-c", program), ROOT, environ)
    done.check_returncode()
    return frozenset(done.stdout.split())
