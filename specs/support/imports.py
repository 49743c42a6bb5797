"""What is imported along with a playbook, in a process that has nothing else."""

from __future__ import annotations

import sys
from typing import FrozenSet

from specs.support.ahead import process

MODULES = (
    *("playbooks.delete", "playbooks.isolate", "playbooks.taint"),
    "playbooks.engines.worker.__main__",
)


_DONE = process(sys.executable, "-c", f"import sys, {', '.join(MODULES)}; print(*sys.modules)")


def imported() -> FrozenSet[str]:
    """By playbooks that act on a cluster and by the worker."""
    done = _DONE.result()
    done.check_returncode()
    return frozenset(done.stdout.split())
