"""The steps of a chain, as they are written: ``label,isolate?,slack``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Tuple

from playbooks.core.settings import Setting, names

MOST = 8

# What says that the chain goes on after a step whatever becomes of it.
GO_ON = "?"

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,40}", re.ASCII)


@dataclass(frozen=True)
class Step:
    """``optional``: the chain goes on after it whatever becomes of it."""

    name: str
    optional: bool = False

    def __str__(self) -> str:
        return f"{self.name}{GO_ON if self.optional else ''}"


def steps(value: str) -> Tuple[Step, ...]:
    """None where the text is empty. Raises ValueError."""
    written = names(value)
    found = tuple(Step(each.rstrip(GO_ON), each.endswith(GO_ON)) for each in written)
    listed = [step.name for step in found]
    if any(not _NAME.fullmatch(name) for name in listed) or list(map(str, found)) != list(written):
        raise ValueError("names of playbooks in order, such as label,isolate?,slack")
    if len(set(listed)) < len(listed):
        raise ValueError("each playbook once")
    if len(listed) > MOST:
        raise ValueError(f"at most {MOST} steps")
    return found


STEPS = Setting(
    "STEPS",
    steps,
    None,
    "The playbooks that answer an alert, in this order, such as `label,isolate?,slack`. It stops at"
    " the first one that did not act, unless its name ends with `?`. Settings and rights are those"
    " of the steps",
)
