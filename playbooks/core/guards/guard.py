"""What a guard is asked, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping, Optional, Tuple

from playbooks.core.action import Action
from playbooks.core.alert import Alert
from playbooks.core.instant import Instant
from playbooks.core.outcome import Outcome
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


@dataclass(frozen=True)
class Answer:
    """``words`` go into the outcome's ``why``; a guard that was not asked to look has none.

    ``reason``: the stable code of a refusal; empty lets the alert pass. ``held``: refused for now,
    to be released or dropped by a person.
    """

    words: str = ""
    reason: str = ""
    held: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def refused(cls, reason: str, words: str, *, held: bool = False, **facts: Any) -> Answer:
        return cls(words, reason, held, facts)

    def outcome(self, action: Optional[Action] = None) -> Outcome:
        """The skipped outcome of a refusal."""
        target, facts = (action.target, action.facts) if action else ("", {})
        return Outcome.skipped(
            self.reason, self.words, target, held=self.held, **{**facts, **self.facts}
        )


PASSED = Answer()


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
