"""The clock of this machine."""

from __future__ import annotations

import time

from playbooks.core.instant import Instant
from playbooks.core.ports import Clock


class SystemClock(Clock):
    def now(self) -> Instant:
        return Instant(time.time_ns())
