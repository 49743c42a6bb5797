"""How long a containment lasts, where it ends by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

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

    def longer(self, before: Optional[Instant]) -> Optional[Instant]:
        """The new end of something contained until ``before``, where it is worth writing.

        None: there is none, or what is contained has no end, which none is later than.
        """
        end = self.ends(before)
        if before is None or end is None or end.seconds_since(before) < STEP:
            return None
        return end
