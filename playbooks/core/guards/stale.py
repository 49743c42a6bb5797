"""The guard against alerts from another time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from playbooks.core.action import PASSED, Answer
from playbooks.core.guards.guard import Case, Context, Guard
from playbooks.core.instant import duration_or_off, shown
from playbooks.core.settings import Setting
from playbooks.core.subjects import Priority

# Seconds by which the clock of a node may be ahead of ours.
SKEW = 120.0


@dataclass(frozen=True)
class StaleAlerts(Guard):
    """Only alerts not older than ``MAX_ALERT_AGE``, nor from the future beyond two minutes.

    ``longest`` in seconds. What is of priority Error and above is held, so that a flood of alerts
    cannot make a real one age away unseen.
    """

    longest: Optional[float]

    REASONS = ("stale-alert", "alert-from-the-future")
    SETTINGS = (
        Setting(
            "MAX_ALERT_AGE",
            duration_or_off(1, 30 * 86400),
            "10m",
            "Alerts older than this are skipped; from priority Error on they are held for a person."
            " Such as `90s`, `10m`, `2h`, or `off`",
        ),
    )
    OFF = "`MAX_ALERT_AGE=off`"

    @classmethod
    def of(cls, context: Context) -> StaleAlerts:
        return cls(context.settings["MAX_ALERT_AGE"])

    def of_alert(self, case: Case) -> Answer:
        if self.longest is None or case.released_by:
            return PASSED
        age = case.now.seconds_since(case.alert.time)
        held = case.alert.priority >= Priority.ERROR
        if age > self.longest:
            said = f"the alert is {shown(age)} old, more than MAX_ALERT_AGE ({shown(self.longest)})"
            return Answer.refused("stale-alert", said, held=held)
        if age < -SKEW:
            said = f"the alert is {shown(-age)} ahead of the clock here, more than {shown(SKEW)}"
            return Answer.refused("alert-from-the-future", said, held=held)
        return Answer(f"the alert is {shown(max(0.0, age))} old")
