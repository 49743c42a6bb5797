"""What is imported along with a playbook, in a process that has nothing else."""

from __future__ import annotations

import subprocess
import sys
from functools import lru_cache
from typing import FrozenSet

MODULES = (
    *("playbooks.delete", "playbooks.isolate", "playbooks.taint"),
    "playbooks.engines.worker.__main__",
)


@lru_cache(maxsize=None)
def imported() -> FrozenSet[str]:
    """By playbooks that act on a cluster and by the worker."""
    code = f"import sys, {', '.join(MODULES)}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return frozenset(done.stdout.split())
