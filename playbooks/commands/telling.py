"""What falco-playbook says beside what was asked for: on standard error."""

from __future__ import annotations

import sys
from typing import Iterable


def tell(kind: str, lines: Iterable[str]) -> None:
    """``kind``: error, warning, or empty for what is neither."""
    prefix = f"falco-playbook: {kind}: " if kind else "falco-playbook: "
    for line in lines:
        print(f"{prefix}{line}", file=sys.stderr, flush=True)
