"""The guard of the operator's own condition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Hashable, Mapping, Optional, Tuple

from playbooks.core.action import PASSED, Action, Answer
from playbooks.core.alert import Alert
from playbooks.core.errors import InvalidSetting
from playbooks.core.guards.guard import Case, Context, Guard
from playbooks.core.ports import Condition, Conditions, Judgement
from playbooks.core.settings import Setting

# Characters of a condition. One this long is read in well under a second.
LONGEST = 2000


def condition(value: str) -> str:
    """A condition, not read yet; or nothing."""
    if len(value) > LONGEST:
        raise ValueError(f"at most {LONGEST} characters, not {len(value)}")
    return value.strip()


WHEN = Setting(
    "WHEN",
    condition,
    "",
    "Only alerts for which this condition holds, in CEL, such as"
    ' `"mitre_execution" in alert.tags && !(fields["proc.name"] in ["java"])`',
)

#: The distribution that reads conditions.
PACKAGE = "cel-python"


def packages(values: Mapping[str, str]) -> Tuple[str, ...]:
    """The distributions for these settings, as they were written."""
    return (PACKAGE,) if values.get(WHEN.name, "").strip() else ()


def read(text: str, conditions: Optional[Conditions], *, acts: bool) -> Optional[Condition]:
    """None where there is none. ``acts``: the playbook acts on the cluster. Raises
    InvalidSetting."""
    if not text:
        return None
    if conditions is None:
        raise InvalidSetting(f"{WHEN.name} is set, and nothing here reads conditions")
    found = conditions(text)
    if found.names_pod and not acts:
        raise InvalidSetting(
            f"{WHEN.name} names pod, and a playbook that does not act on the cluster proves none:"
            " expected alert and fields"
        )
    return found


@dataclass(frozen=True)
class When(Guard):
    """Only alerts for which the condition `WHEN` holds.

    It is asked of the alert, and, where it names the pod, of the pod that was proven. What cannot
    be told does not hold.
    """

    condition: Optional[Condition]

    REASONS = ("when-false",)
    SETTINGS = (WHEN,)
    OFF = "`WHEN` empty"
    ACTING = False
    HOLDS = False

    @classmethod
    def of(cls, context: Context) -> When:
        text = context.settings[WHEN.name]
        return cls(read(text, context.collaborators.conditions, acts=context.acts))

    def of_alert(self, case: Case) -> Answer:
        if self.condition is None:
            return PASSED
        judged = self.condition.judge(case.alert)
        if self.condition.names_pod and judged.holds is not False:
            # What is said of the pod is still open.
            return PASSED
        return self._answer(judged)

    def of_action(self, case: Case, action: Action) -> Answer:
        if self.condition is None or not self.condition.names_pod:
            return PASSED
        return self._answer(self.condition.judge(case.alert, action.pod))

    def seen(self, alert: Alert) -> Hashable:
        named = self.condition is not None and self.condition.names_pod
        return self.condition.seen(alert) if self.condition and named else None

    @staticmethod
    def _answer(judged: Judgement) -> Answer:
        if judged.holds:
            return Answer(f"{WHEN.name} holds")
        if judged.holds is None:
            said = f"{WHEN.name} cannot be told, and so does not hold: {judged.words}"
            return Answer.refused("when-false", said)
        return Answer.refused("when-false", f"{WHEN.name} does not hold")
