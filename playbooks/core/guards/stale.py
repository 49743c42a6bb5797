"""The guard against alerts from another time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from playbooks.core.action import PASSED, Answer
from playbooks.core.guards.guard import Case, Context, Guard
from playbooks.core.instant import duration_or_off, shown
from playbooks.core.settings import Setting, priority
from playbooks.core.subjects import Priority

# Seconds by which the clock of a node may be ahead of ours.
SKEW = 120.0


@dataclass(frozen=True)
class StaleAlerts(Guard):
    """Only alerts not older than ``MAX_ALERT_AGE``, nor from the future beyond two minutes.

    The age is that at which the broker got the alert, where it says when: what waited since then
    waited for us. ``longest`` in seconds. ``held_from``: the priority from which on what is refused
    is held for a person.
    """

    longest: Optional[float]
    held_from: Priority = Priority.NOTICE

    REASONS = ("stale-alert", "alert-from-the-future")
    SETTINGS = (
        Setting(
            "MAX_ALERT_AGE",
            duration_or_off(1, 30 * 86400),
            "10m",
            "Alerts older than this when the broker got them are skipped, or held for a person"
            " (`HOLD_STALE_FROM`). Such as `90s`, `10m`, `2h`, or `off`",
        ),
        Setting(
            "HOLD_STALE_FROM",
            priority,
            "Notice",
            "From this priority on, alerts older than `MAX_ALERT_AGE` or from the future are held"
            " for a person; below it they are skipped",
        ),
    )
    OFF = "`MAX_ALERT_AGE=off`"

    @classmethod
    def of(cls, context: Context) -> StaleAlerts:
        settings = context.settings
        return cls(settings["MAX_ALERT_AGE"], settings["HOLD_STALE_FROM"])

    def of_alert(self, case: Case) -> Answer:
        if self.longest is None or case.released_by:
            return PASSED
        if case.recorded and case.received is None:
            return Answer("recorded alert: its own time counts as now")
        received = case.received or case.now
        age = received.seconds_since(case.alert.time)
        held = case.alert.priority >= self.held_from
        why = (
            f"held, because its priority is {self.held_from} or above"
            if held
            else f"not held, because its priority is below {self.held_from}"
        )
        old = f"{shown(max(0.0, age))} old"
        if case.received is not None:
            old += " when the broker got it"
        if age > self.longest:
            said = f"the alert was {old}, more than MAX_ALERT_AGE ({shown(self.longest)}); {why}"
            return Answer.refused("stale-alert", said, held=held)
        if age < -SKEW:
            ahead = f"{shown(-age)} ahead of the clock here, more than {shown(SKEW)}"
            return Answer.refused(
                "alert-from-the-future", f"the alert was {ahead}; {why}", held=held
            )
        return Answer(f"the alert was {old}")
