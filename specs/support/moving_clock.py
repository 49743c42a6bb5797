"""A clock that an example moves on."""

from __future__ import annotations

from playbooks.core.instant import Instant, after
from playbooks.core.ports import Clock
from playbooks.testing import NOW


class MovingClock(Clock):
    """``seconds``: that have passed since NOW."""

    seconds = 0.0

    def now(self) -> Instant:
        return after(NOW, self.seconds)
