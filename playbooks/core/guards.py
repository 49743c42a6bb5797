"""Guards: rules that can stop a playbook before its reaction makes any call."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Optional, Tuple

from playbooks.core.alert import Alert
from playbooks.core.globs import matches_any
from playbooks.core.outcome import Outcome
from playbooks.core.priority import Priority
from playbooks.core.settings import Setting, Settings, names, priority, text, yes_or_no

SETTINGS = (
    Setting(
        "MINIMUM_PRIORITY",
        priority,
        "Debug",
        "Alerts below this priority are skipped",
    ),
    Setting(
        "RULES",
        names,
        "",
        "Only alerts of these rules: names or globs, case-sensitive, comma-separated",
    ),
    Setting(
        "NAMESPACES", names, "", "Only pods of these namespaces: names or globs, comma-separated"
    ),
    Setting("CLUSTER", names, "", "Only alerts whose `CLUSTER_FIELD` is one of these names"),
    Setting(
        "CLUSTER_FIELD",
        text,
        "cluster",
        "The output field that names the alert's cluster, as Falcosidekick's `customfields` set it",
    ),
    Setting(
        "DRY_RUN", yes_or_no, "false", "Make every read and no change, and say what would be done"
    ),
)


class Guard(ABC):
    @abstractmethod
    def refusal(self, alert: Alert) -> Optional[Outcome]:
        """The skipped outcome that says why, or None to let the alert pass."""


@dataclass(frozen=True)
class MinimumPriority(Guard):
    least: Priority

    def refusal(self, alert: Alert) -> Optional[Outcome]:
        if alert.priority >= self.least:
            return None
        return Outcome.skipped(
            "below-minimum-priority", f"priority {alert.priority} is below {self.least}"
        )


@dataclass(frozen=True)
class OnlyRules(Guard):
    globs: Tuple[str, ...]

    def refusal(self, alert: Alert) -> Optional[Outcome]:
        if matches_any(alert.rule, self.globs):
            return None
        return Outcome.skipped(
            "rule-not-listed", f"rule {alert.rule!r} is none of RULES ({', '.join(self.globs)})"
        )


@dataclass(frozen=True)
class OnlyNamespaces(Guard):
    """An alert with a container id but no namespace may pass where the pod is ``looked_up``:
    the proof then holds what it finds to the same globs."""

    globs: Tuple[str, ...]
    looked_up: bool

    def refusal(self, alert: Alert) -> Optional[Outcome]:
        claim = alert.claim
        if not self.globs or (self.looked_up and claim.container_id and not claim.namespace):
            return None
        if claim.namespace and matches_any(claim.namespace, self.globs):
            return None
        found = f"namespace {claim.namespace}" if claim.namespace else "no namespace in the alert"
        return Outcome.skipped(
            "namespace-not-listed", f"{found}, only NAMESPACES ({', '.join(self.globs)})"
        )


@dataclass(frozen=True)
class ThisCluster(Guard):
    clusters: Tuple[str, ...]
    field: str

    def refusal(self, alert: Alert) -> Optional[Outcome]:
        found = alert.fields.get(self.field)
        if not self.clusters or found in self.clusters:
            return None
        said = f"{self.field} is {found!r:.80}" if found else f"the alert has no field {self.field}"
        return Outcome.skipped(
            "another-cluster", f"{said}, only CLUSTER ({', '.join(self.clusters)})"
        )


def guards(settings: Settings, *, looked_up: bool) -> Tuple[Guard, ...]:
    """All of them, in the order in which they are asked."""
    return (
        ThisCluster(settings["CLUSTER"], settings["CLUSTER_FIELD"]),
        MinimumPriority(settings["MINIMUM_PRIORITY"]),
        OnlyRules(settings["RULES"]),
        OnlyNamespaces(settings["NAMESPACES"], looked_up),
    )
