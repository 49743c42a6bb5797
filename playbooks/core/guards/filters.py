"""Guards that hold an alert to what the playbook was set up for. They need the alert alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping, Tuple

from playbooks.core.action import PASSED, Action, Answer
from playbooks.core.cluster.changes import Rule, among
from playbooks.core.guards.guard import Case, Context, Guard
from playbooks.core.reaction import OBJECTS
from playbooks.core.settings import (
    Setting,
    all_names,
    matches_any,
    names,
    priority,
    rule_names,
    text,
)
from playbooks.core.subjects import Priority

# The setting that says where a playbook may act.
NAMESPACES = "NAMESPACES"


def acts_in(values: Mapping[str, str]) -> Tuple[str, ...]:
    """The only namespaces in which a playbook with these settings acts, each once; none for all."""
    return tuple(dict.fromkeys(all_names(names(values.get(NAMESPACES, "")))))


@dataclass(frozen=True)
class ThisCluster(Guard):
    """Only alerts of this cluster."""

    clusters: Tuple[str, ...]
    field: str

    REASONS = ("another-cluster",)
    SETTINGS = (
        Setting("CLUSTER", names, "", "Only alerts whose `CLUSTER_FIELD` is one of these names"),
        Setting(
            "CLUSTER_FIELD",
            text,
            "cluster",
            "The output field that names the alert's cluster, as Falcosidekick's `customfields`"
            " set it",
        ),
    )
    OFF = "`CLUSTER` empty"
    ACTING = False

    @classmethod
    def of(cls, context: Context) -> ThisCluster:
        return cls(context.settings["CLUSTER"], context.settings["CLUSTER_FIELD"])

    def of_alert(self, case: Case) -> Answer:
        if not self.clusters:
            return PASSED
        found = case.alert.fields.get(self.field)
        if found in self.clusters:
            return Answer(f"{self.field} is {found}")
        said = f"{self.field} is {found!r:.80}" if found else f"the alert has no field {self.field}"
        return Answer.refused(
            "another-cluster", f"{said}, only CLUSTER ({', '.join(self.clusters)})"
        )


@dataclass(frozen=True)
class MinimumPriority(Guard):
    """Only alerts of at least this priority."""

    least: Priority

    REASONS = ("below-minimum-priority",)
    SETTINGS = (
        Setting("MINIMUM_PRIORITY", priority, "Debug", "Alerts below this priority are skipped"),
    )
    OFF = "`MINIMUM_PRIORITY=Debug`"
    ACTING = False

    @classmethod
    def of(cls, context: Context) -> MinimumPriority:
        return cls(context.settings["MINIMUM_PRIORITY"])

    def of_alert(self, case: Case) -> Answer:
        found = case.alert.priority
        if found < self.least:
            return Answer.refused(
                "below-minimum-priority", f"priority {found} is below {self.least}"
            )
        if self.least is Priority.DEBUG:
            return PASSED
        return Answer(f"priority {found} is not below {self.least}")


@dataclass(frozen=True)
class OnlyRules(Guard):
    """Only alerts of the listed rules."""

    globs: Tuple[str, ...]

    REASONS = ("rule-not-listed",)
    SETTINGS = (
        Setting(
            "RULES",
            rule_names,
            "",
            "Only alerts of these rules: names or globs, case-sensitive, comma-separated; a comma"
            " in a name is written `\\,`",
        ),
    )
    OFF = "`RULES` empty"
    ACTING = False

    @classmethod
    def of(cls, context: Context) -> OnlyRules:
        return cls(context.settings["RULES"])

    def of_alert(self, case: Case) -> Answer:
        rule = case.alert.rule
        if not self.globs:
            return PASSED
        if matches_any(rule, self.globs):
            return Answer(f"rule {rule!r} is one of RULES")
        return Answer.refused(
            "rule-not-listed", f"rule {rule!r} is none of RULES ({', '.join(self.globs)})"
        )


@dataclass(frozen=True)
class OnlyNamespaces(Guard):
    """Only pods of the listed namespaces.

    An alert with a container id but no namespace may pass where the pod is ``looked_up``: the
    proof then holds what it finds to the same globs. Of ``objects`` that are no pods the action is
    asked; what belongs to no namespace is none of those.
    """

    globs: Tuple[str, ...]
    looked_up: bool
    objects: bool = False

    REASONS = ("namespace-not-listed",)
    SETTINGS = (
        Setting(
            NAMESPACES,
            names,
            "",
            "Only pods of these namespaces: names or globs, comma-separated",
        ),
    )
    OFF = "`NAMESPACES` empty"
    ACTING = False
    RULES = (
        Rule(
            "changes nothing outside of NAMESPACES",
            f"params.data.NAMESPACES == '' || {among('NAMESPACES', 'request.namespace')}",
            settings=(NAMESPACES,),
            forbids=lambda namespace, texts: not matches_any(namespace, names(texts[NAMESPACES])),
        ),
    )

    @classmethod
    def of(cls, context: Context) -> OnlyNamespaces:
        objects = context.reaction.TARGETS == OBJECTS
        return cls(context.settings[NAMESPACES], looked_up=context.acts, objects=objects)

    def of_alert(self, case: Case) -> Answer:
        claim = case.alert.claim
        if not self.globs or (self.looked_up and claim.container_id and not claim.namespace):
            return PASSED
        return PASSED if self.objects else self._answer(claim.namespace, " in the alert")

    def of_action(self, case: Case, action: Action) -> Answer:
        return self._answer(action.namespace, "") if self.objects and self.globs else PASSED

    def _answer(self, namespace: str, where: str) -> Answer:
        if namespace and matches_any(namespace, self.globs):
            return Answer(f"namespace {namespace} is one of NAMESPACES")
        found = f"namespace {namespace}" if namespace else f"no namespace{where}"
        return Answer.refused(
            "namespace-not-listed", f"{found}, only NAMESPACES ({', '.join(self.globs)})"
        )
