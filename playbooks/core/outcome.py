"""What a reaction did, or why it did not."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Callable, Dict, Mapping, Optional, Tuple

from playbooks.core.errors import PlaybookError

# The reason code of a deletion that the API server accepted: the object is there, and acts, until
# it was seen to be gone.
ACCEPTED = "deletion-accepted"

# The reason codes of what a look some time after an action found. The details that name the reason
# code of the outcome which it follows, and whether what was done is so; none where nobody can tell.
VERIFIED, NOT_VERIFIED, NOT_KNOWN = "verified", "not-verified", "not-known"
FOLLOWS, HOLDS = "follows", "holds"

# The same of a look whether a network plugin knows that a pod is isolated: as far as it tells.
IDENTITY_CONFIRMED, UNCONFIRMED = "identity-confirmed", "unconfirmed"


class Status(str, Enum):
    """``acted`` means that the other side said so; ``would act`` is a dry run's, ``looked`` what a
    look some time after an action found."""

    ACTED = "acted"
    SKIPPED = "skipped"
    WOULD_ACT = "would act"
    FAILED = "failed"
    LOOKED = "looked"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class TargetRef:
    """The object of the cluster that an action changes, and the action's verb (``delete``).

    ``kind`` is the API's (``Pod``, ``Node``), ``api`` the one that has it, empty where the kind
    tells; ``namespace`` is empty for what belongs to none.
    """

    verb: str
    kind: str
    name: str
    namespace: str
    uid: str
    api: str = ""


@dataclass(frozen=True)
class FollowUp:
    """A look at what became of an action, some time after it. It reads, and changes nothing; an
    engine that runs on takes it without holding a place for it, others do not take it.

    ``look``: what is found, or None to look again; it is told whether it is the last look. It
    raises a PlaybookError where it cannot tell. ``after``: seconds from the action to the first
    look. ``every``: seconds between two looks, the last of which is ``until`` seconds after the
    action; None: there is one, for which the engine waits ``VERIFY_AFTER`` longer.
    """

    look: Callable[[bool], Optional[Outcome]]
    after: float = 0.0
    every: Optional[float] = None
    until: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """``target`` names the object concerned (``pod shop/web-1``, ``node worker-3``), or is empty.

    ``reason`` is a stable code, ``message`` the words for people, ``details`` JSON-safe facts.
    ``why``: the checks on the way to it and their answers, in order. ``held``: skipped for now, to
    be released or dropped by a person. ``waits``: an engine that can asks again after so many
    seconds, and nobody has to release it. ``trace_id``: of the trace that the alert belongs to, 32
    hexadecimal digits or empty. ``error`` is what made it fail, ``target_ref`` the object
    that an action was planned on, ``follow_ups`` the looks at what became of it; these do not
    travel in the dict.
    """

    status: Status
    reason: str
    message: str
    target: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    why: Tuple[str, ...] = ()
    held: bool = False
    waits: Optional[float] = field(default=None, compare=False)
    trace_id: str = field(default="", compare=False)
    error: Optional[PlaybookError] = field(default=None, compare=False, repr=False)
    target_ref: Optional[TargetRef] = field(default=None, compare=False, repr=False)
    follow_ups: Tuple[FollowUp, ...] = field(default=(), compare=False, repr=False)

    @classmethod
    def acted(cls, target: str, reason: str, message: str, **details: Any) -> Outcome:
        return cls(Status.ACTED, reason, message, target, details)

    @classmethod
    def skipped(
        cls,
        reason: str,
        message: str,
        target: str = "",
        *,
        held: bool = False,
        waits: Optional[float] = None,
        **details: Any,
    ) -> Outcome:
        return cls(Status.SKIPPED, reason, message, target, details, held=held, waits=waits)

    @classmethod
    def would_act(cls, target: str, reason: str, message: str, **details: Any) -> Outcome:
        return cls(Status.WOULD_ACT, reason, message, target, details)

    @classmethod
    def failed(cls, error: PlaybookError, target: str = "", /, **details: Any) -> Outcome:
        details.update(error=type(error).__name__, retryable=error.retryable)
        return cls(Status.FAILED, error.reason, str(error), target, details, error=error)

    @classmethod
    def of_dict(cls, document: Mapping[str, Any]) -> Outcome:
        """What ``to_dict`` gave. Raises KeyError, TypeError or ValueError for anything else."""
        return cls(
            Status(document["status"]),
            document["reason"],
            document["message"],
            document["target"],
            dict(document["details"]),
            tuple(document["why"]),
            document["held"],
            trace_id=document.get("trace_id", ""),
        )

    @property
    def accepted(self) -> bool:
        """Whether it acted, and nobody has seen yet that it is done."""
        return self.status is Status.ACTED and self.reason == ACCEPTED

    def to_dict(self) -> Dict[str, Any]:
        """The plain dict that goes over the wire."""
        return {
            "status": self.status.value,
            "target": self.target,
            "reason": self.reason,
            "message": self.message,
            "details": dict(self.details),
            "why": list(self.why),
            "held": self.held,
            **({"trace_id": self.trace_id} if self.trace_id else {}),
        }
