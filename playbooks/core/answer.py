"""What a guard answers, and the ledger with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping, Optional

from playbooks.core.action import Action
from playbooks.core.outcome import Outcome


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
