"""A playbook that is a sequence of others: what it takes is what its steps take."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Dict, List, Mapping, Optional, Tuple, Type, Union

from playbooks.core import catalogue, guards
from playbooks.core.action import Action
from playbooks.core.alert import Alert
from playbooks.core.chain.responder import ChainResponder, WiredStep
from playbooks.core.chain.steps import STEPS, Step
from playbooks.core.cluster import api_object
from playbooks.core.cluster.changes import Changes
from playbooks.core.cluster.permissions import Permission
from playbooks.core.containment.containment import Containment
from playbooks.core.errors import InvalidSetting
from playbooks.core.guards.when import WHEN
from playbooks.core.outcome import Outcome
from playbooks.core.playbook import Playbook
from playbooks.core.ports import ClusterCollaborators, Collaborators, WithoutCluster
from playbooks.core.reaction import Reaction, Verified
from playbooks.core.redaction.redaction import Redaction
from playbooks.core.responder import Responder
from playbooks.core.settings import Setting, Settings, or_nothing, unique
from playbooks.core.tracing.spans import Spans


class ChainOfSteps(Reaction):
    """What is declared of a chain whatever its steps are: these have reactions of their own, which
    answer."""

    TARGETS = "pods"
    # A pod that one step changed is no longer as it is remembered.
    VIEW = False
    KINDS = ("Pod", "Node", *(kind.kind for kind in api_object.KINDS))
    SETTINGS = (STEPS,)

    def verify(self, action: Action) -> Optional[Verified]:  # noqa: ARG002
        """Each step looks for itself."""
        return None

    def plan(self, alert: Alert) -> Union[Action, Outcome]:
        raise NotImplementedError("a chain is answered by its steps")


@dataclass(frozen=True)
class Chain(Playbook):
    """``reaction`` declares what is the same whatever the steps are.

    Which steps there are is known with the settings only: what it declares without them is of all
    that can be one, and each permission says of which.
    """

    @property
    def settings(self) -> Tuple[Setting, ...]:
        of_steps = [
            _optional(setting) for each in _all(self.name) for setting in each.reaction.SETTINGS
        ]
        return unique((*self.reaction.SETTINGS, *of_steps, *guards.settings(acts=True)))

    @property
    def permissions(self) -> Tuple[Permission, ...]:
        by_step: Dict[Permission, List[str]] = {}
        for each in _all(self.name):
            for permission in each.permissions:
                by_step.setdefault(permission, []).append(each.name)
        return tuple(
            replace(permission, only_in=(STEPS.name, tuple(names)))
            for permission, names in by_step.items()
        )

    @property
    def changes(self) -> Tuple[Changes, ...]:
        return _merged(self.name)

    @property
    def containments(self) -> Tuple[Tuple[Type[Containment], str], ...]:
        return tuple(each for known in _all(self.name) for each in known.containments)

    def rights(self, values: Mapping[str, str], *, looks: bool = False) -> Tuple[Permission, ...]:
        found = super().rights(values, looks=looks)
        return tuple(replace(permission, only_in=None) for permission in found)

    def runs(self, values: Mapping[str, str]) -> Tuple[str, ...]:
        return tuple(each.name for _, each in self._listed(values))

    def relies_on(self, values: Mapping[str, str]) -> Tuple[str, ...]:
        return tuple(what for _, each in self._listed(values) for what in each.reaction.RELIES_ON)

    def installs(self, values: Mapping[str, str]) -> Tuple[str, ...]:
        of_steps = (name for _, each in self._listed(values) for name in each.installs(values))
        return tuple(dict.fromkeys((*super().installs(values), *of_steps)))

    def problems(self, values: Mapping[str, str]) -> List[str]:
        if STEPS.name not in values:
            # That it is required is known of any setting.
            return []
        try:
            chosen = self._steps(values)
        except InvalidSetting as error:
            return [str(error)]
        if not chosen:
            return [f"{STEPS.name} is empty, expected: {STEPS.help}"]
        found = []
        for _, each in chosen:
            found += [
                f"{setting.name} is not set, and the step {each.name} expects: {setting.help}"
                for setting in each.reaction.SETTINGS
                if setting.required and not setting.is_given(values)
            ]
            found += each.problems(values)
        return found

    def wired(
        self,
        environ: Mapping[str, str],
        settings: Settings,
        collaborators: Collaborators,
        spans: Optional[Spans],
        *,
        chain: str = "",  # noqa: ARG002
    ) -> Responder:
        assert isinstance(collaborators, ClusterCollaborators)
        wired: List[WiredStep] = []
        for step, playbook in self._steps(environ):
            given: Tuple[Settings, Collaborators] = (settings, collaborators)
            if not playbook.acts:
                proven = any(each.responder.acts for each in wired)
                given = _beside(settings, collaborators, proven=proven)
            responder = playbook.wired(environ, *given, spans, chain=self.name)
            wired.append(WiredStep(step, responder))
        return ChainResponder(
            wired,
            redaction=Redaction.of(settings),
            recorders=collaborators.recorders,
            ledger=collaborators.ledger,
        )

    def _steps(self, values: Mapping[str, str]) -> List[Tuple[Step, Playbook]]:
        """Raises InvalidSetting."""
        written = STEPS.check(values.get(STEPS.name, ""))
        known = {each.name: each for each in _all(self.name)}
        for step in written:
            if step.name not in known:
                raise InvalidSetting(
                    f"{STEPS.name} has {step.name!r}, expected names of {', '.join(known)}"
                )
        return [(step, known[step.name]) for step in written]

    def _listed(self, values: Mapping[str, str]) -> List[Tuple[Step, Playbook]]:
        """The same; none where they are wrong, of which ``problems`` tells."""
        try:
            return self._steps(values)
        except InvalidSetting:
            return []


@lru_cache(maxsize=None)
def _all(chain: str) -> Tuple[Playbook, ...]:
    """The playbooks of this package that can be steps of a chain, and so no chain."""
    found = [catalogue.load(name) for name in catalogue.own_names() if name != chain]
    return tuple(each for each in found if not isinstance(each, Chain))


@lru_cache(maxsize=None)
def _merged(chain: str) -> Tuple[Changes, ...]:
    """What one step or another changes, by resource: a request has to be one of theirs."""
    by_kind: Dict[Tuple[str, str, Tuple[str, ...]], List[Tuple[str, Changes]]] = {}
    for each in _all(chain):
        for changes in each.changes:
            key = changes.resource, changes.group, changes.operations
            by_kind.setdefault(key, []).append((each.name, changes))
    return tuple(
        replace(members[0][1], rules=(), allowed=None, of_steps=tuple(members))
        for members in by_kind.values()
    )


def _optional(setting: Setting) -> Setting:
    """As it is declared for all steps: one that is not listed needs no value."""
    if not setting.required:
        return setting
    return replace(setting, kind=or_nothing(setting.kind), default="")


def _beside(
    settings: Settings, collaborators: ClusterCollaborators, *, proven: bool
) -> Tuple[Settings, Collaborators]:
    """For a step that does not act on the cluster. ``proven``: a step before does, and so had the
    condition judged with the pod."""
    conditions, text = collaborators.conditions, settings[WHEN.name]
    if text and proven and conditions is not None and conditions(text).names_pod:
        settings = {**settings, WHEN.name: ""}
    return settings, WithoutCluster(collaborators.clock, collaborators.own_pod, conditions)
