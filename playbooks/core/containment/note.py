"""The note about a contained object: when, why and until when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional, Type, TypeVar

from playbooks.core.instant import Instant, instant_or_none

# Characters of a rule's name that are kept.
LONGEST_RULE = 256

# What reading a note raises that says nothing: whoever may write an object can have put anything
# there, such as JSON of a thousand levels.
UNREADABLE = (AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError)

N = TypeVar("N", bound="Note")


@dataclass(frozen=True)
class Note:
    """``at``: when it was done, RFC 3339. ``rule``: the alert's. ``reason``: the outcome's code.
    ``until``: when it ends by itself, None where it does not. Subclasses say more than that."""

    at: str = ""
    rule: str = ""
    reason: str = ""
    until: Optional[Instant] = None

    @classmethod
    def of_dict(cls: Type[N], entry: Mapping[str, Any]) -> N:
        """Raises one of ``UNREADABLE`` where it says nothing."""
        at, rule, reason = (str(entry.get(key, "")) for key in ("at", "rule", "reason"))
        return cls(at, rule, reason, instant_or_none(str(entry.get("until", ""))))

    def to_dict(self) -> Dict[str, Any]:
        """What is empty is left out."""
        written = {
            "at": self.at,
            "rule": self.rule[:LONGEST_RULE],
            "reason": self.reason,
            "until": str(self.until) if self.until else "",
        }
        return {key: value for key, value in written.items() if value}

    @property
    def ending(self) -> str:
        """In words behind those for what was done, or empty."""
        return f" until {self.until}" if self.until else ""

    def is_over(self, now: Instant) -> bool:
        return self.until is not None and self.until <= now
