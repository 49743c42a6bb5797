"""The guard of what somebody has exempted, for a time and a reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping, Tuple

from playbooks.core.action import PASSED, Action, Answer
from playbooks.core.guards.guard import Case, Context, Guard
from playbooks.core.instant import Instant, instant_or_none, shown
from playbooks.core.ports import Cluster
from playbooks.core.settings import Setting, names, yes_or_no

EXEMPT, UNTIL, REASON = "falco/exempt", "falco/exempt-until", "falco/exempt-reason"

# Seconds for which an exemption may be given at most.
LONGEST = 7 * 86400


@dataclass(frozen=True)
class Exemptions(Guard):
    """Nothing of a namespace whose annotation ``falco/exempt`` names the playbook.

    It counts until ``falco/exempt-until`` (RFC 3339, at most 7 days away). Read from the API, never
    from the alert. ``others``: further names of the playbook: that of the chain whose step it is.
    ``pods``: the annotations of a pod count too. Those of a node never do: whoever
    took it over can write them.
    """

    playbook: str
    cluster: Cluster
    pods: bool
    others: Tuple[str, ...] = ()

    REASONS = ("exempt",)
    SETTINGS = (
        Setting(
            "EXEMPT_PODS",
            yes_or_no,
            "false",
            "Whether a pod's own annotation `falco/exempt` counts: whoever makes a pod can then"
            " exempt it",
        ),
    )
    OFF = "takes no effect without the annotation"

    @classmethod
    def of(cls, context: Context) -> Exemptions:
        others = (context.chain,) if context.chain else ()
        pods = context.settings["EXEMPT_PODS"]
        return cls(context.playbook, context.acting.cluster, pods, others)

    def of_action(self, case: Case, action: Action) -> Answer:
        remarks = []
        for what, given in self._annotated(action).items():
            answer = self.exemption(what, given, case.now)
            if answer.reason:
                return answer
            if answer.words:
                remarks.append(answer.words)
        return Answer("; ".join(remarks) or "nothing exempts it")

    def _annotated(self, action: Action) -> Mapping[str, Mapping[str, str]]:
        name = action.namespace
        if not name:
            return {}
        found = {f"namespace {name}": self.cluster.namespace_annotations(name)}
        if self.pods and action.pod:
            found[str(action.pod)] = action.pod.annotations
        return found

    def exemption(self, what: str, given: Mapping[str, str], now: Instant) -> Answer:
        """The refusal, or why the annotation does not count; neither where there is none. ``what``
        has these annotations."""
        listed = names(given.get(EXEMPT, ""))
        if not {self.playbook, *self.others, "*"} & set(listed):
            return PASSED
        until = instant_or_none(given.get(UNTIL, ""))
        if until is None:
            return Answer(f"{what} is exempted without a time in {UNTIL}, which does not count")
        left = until.seconds_since(now)
        if left <= 0:
            return Answer(f"{what} was exempted until {until}")
        if left > LONGEST:
            return Answer(
                f"{what} is exempted for more than {shown(LONGEST)}, which does not count"
            )
        why = given.get(REASON) or "no reason given"
        return Answer.refused(
            "exempt", f"{what} is exempted from {self.playbook} until {until}: {why:.200}"
        )
