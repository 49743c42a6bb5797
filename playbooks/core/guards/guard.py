"""What a guard is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

from playbooks.core.action import PASSED, Action, Answer
from playbooks.core.alert import Alert
from playbooks.core.instant import Instant
from playbooks.core.settings import Setting


@dataclass(frozen=True)
class Case:
    """One alert on its way. ``now``: the time of asking, for a recorded alert its own.

    ``released_by``: the person who let a held alert go on. ``dry_run``: nothing may be written.
    """

    alert: Alert
    now: Instant
    released_by: str = ""
    dry_run: bool = False


class Guard:
    """One rule that can stop a playbook before it acts: asked of the alert, before any call is
    made, and of the action, once its target is proven. Most have a word in one of the two only.

    Either raises a PlaybookError where it cannot be evaluated: the alert has failed then, and is
    not acted upon.

    ``REASONS``: the codes of its refusals. ``OFF``: how to turn it off, or why that cannot be.
    """

    REASONS: Tuple[str, ...] = ()
    SETTINGS: Tuple[Setting, ...] = ()
    OFF: str = ""

    def of_alert(self, case: Case) -> Answer:
        return PASSED

    def of_action(self, case: Case, action: Action) -> Answer:
        return PASSED
