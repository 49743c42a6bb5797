"""The Markdown table of the guards, from their declarations.

``python -m playbooks.deployment.guards_table`` prints it; the README holds the same.
"""

from __future__ import annotations

import sys
from typing import Type

from playbooks.core import guards
from playbooks.core.guards.guard import Guard


def guards_table() -> str:
    head = [
        "| | What may pass | Settings and defaults | Reason codes | Off |",
        "|---|---|---|---|---|",
    ]
    rows = [_row(place, guard) for place, guard in enumerate(guards.ORDER, 1)]
    return "\n".join([*head, *rows]) + "\n"


def _row(place: int, guard: Type[Guard]) -> str:
    settings = ", ".join(f"`{s.name}` {_default(s.default)}" for s in guard.SETTINGS) or "(none)"
    reasons = ", ".join(f"`{reason}`" for reason in guard.REASONS)
    return f"| {place} | {_summary(guard)} | {settings} | {reasons} | {guard.OFF} |"


def _summary(guard: Type[Guard]) -> str:
    first = (guard.__doc__ or "").strip().split("\n\n")[0]
    return " ".join(first.split()).replace("``", "`")


def _default(default: object) -> str:
    text = str(default)
    if len(text) > 40:
        return "(see below)"
    return f"(`{text}`)" if text else "(empty)"


if __name__ == "__main__":
    sys.stdout.write(guards_table())
