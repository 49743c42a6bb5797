"""How long a containment lasts, where it ends by itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Optional, Type

from playbooks.core.containment.note import N, Note
from playbooks.core.instant import Instant, after, duration_or_off
from playbooks.core.ports import Clock
from playbooks.core.settings import Setting

# Seconds by which an end is moved at least: a flood of alerts does not write the object each time.
STEP = 10.0

_LEAST, _MOST = 10, 30 * 86400


def ttl(name: str, help: str) -> Setting:
    """The setting of a playbook; off unless it is given."""
    return Setting(name, duration_or_off(_LEAST, _MOST), "off", help)


@dataclass(frozen=True)
class Lifetime:
    """``seconds`` None: for ever."""

    clock: Clock
    seconds: Optional[float] = None

    def begins(self) -> Instant:
        return self.clock.now()

    def ends(self, before: Optional[Instant] = None) -> Optional[Instant]:
        """When what is contained now ends: never sooner than was written ``before``."""
        if self.seconds is None:
            return before
        end = after(self.clock.now(), self.seconds)
        return max(end, before) if before else end

    def note(
        self, kind: Type[N], rule: str, reason: str, earlier: Optional[Note] = None, **more: Any
    ) -> N:
        """The note of what is contained now, which ends no sooner than the ``earlier`` one."""
        until = self.ends(earlier.until if earlier else None)
        return kind(str(self.begins()), rule, reason, until, **more)

    def extended(self, before: Optional[N]) -> Optional[N]:
        """The same note with a later end, where that is worth writing.

        None: there is no note, or what is contained has no end, which none is later than.
        """
        end = self.ends(before.until) if before else None
        if before is None or before.until is None or end is None:
            return None
        return replace(before, until=end) if end.seconds_since(before.until) >= STEP else None
