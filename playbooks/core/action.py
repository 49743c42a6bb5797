"""What a reaction is about to do: planned, its target proven, and not yet done."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Optional, Tuple

from playbooks.core.cluster.api_object import ApiObject, ReadObject
from playbooks.core.cluster.node import Node
from playbooks.core.cluster.pod import Pod
from playbooks.core.cluster.workload import Scalable
from playbooks.core.outcome import Outcome, TargetRef


def target_ref(verb: str, target: ReadObject) -> TargetRef:
    return TargetRef(verb, target.api_kind, target.name, target.namespace, target.uid, target.api)


@dataclass(frozen=True)
class Action:
    """``verb`` is the code of the action (``delete``), ``message`` says it in words after
    "would". ``pod`` is the alert's, ``node`` or ``workload`` the one that is changed, ``changed``
    an object of another kind that is. ``why``: what was found out on the way. ``pods``: how many of
    its workload's pods it ends. ``carry_out`` does it, and raises a PlaybookError.
    """

    verb: str
    target: str
    message: str
    carry_out: Callable[[], Outcome]
    pod: Optional[Pod] = None
    node: Optional[Node] = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    why: Tuple[str, ...] = ()
    workload: Optional[Scalable] = None
    pods: int = 1
    changed: Optional[ApiObject] = None

    @property
    def _target(self) -> Optional[ReadObject]:
        return self.changed or self.node or self.workload or self.pod

    @property
    def uid(self) -> str:
        """The uid of the object that is changed; empty where it is none of the cluster's."""
        return self._target.uid if self._target else ""

    @property
    def namespace(self) -> str:
        """That of the pod, or of the object of another kind; empty where there is none."""
        about = self.pod or self.changed
        return about.namespace if about else ""

    @property
    def target_ref(self) -> Optional[TargetRef]:
        """The object that is changed; None where it is none of the cluster's."""
        return target_ref(self.verb, self._target) if self._target else None

    def would(self) -> Outcome:
        """The outcome of a dry run."""
        return Outcome.would_act(self.target, self.verb, f"would {self.message}", **self.facts)


@dataclass(frozen=True)
class Answer:
    """``words`` go into the outcome's ``why``; a guard that was not asked to look has none.

    ``reason``: the stable code of a refusal; empty lets the alert pass. ``held``: refused for now,
    to be released or dropped by a person. ``waits``: seconds after which it may pass, where that is
    a matter of time. ``facts`` and ``remark`` of one that lets an action pass become details of
    the outcome, and words at the end of its message.
    """

    words: str = ""
    reason: str = ""
    held: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)
    waits: Optional[float] = None
    remark: str = ""

    @classmethod
    def refused(
        cls,
        reason: str,
        words: str,
        *,
        held: bool = False,
        waits: Optional[float] = None,
        **facts: Any,
    ) -> Answer:
        return cls(words, reason, held, facts, waits)

    def outcome(self, action: Optional[Action] = None) -> Outcome:
        """The skipped outcome of a refusal."""
        target, facts = (action.target, action.facts) if action else ("", {})
        facts = {**facts, **self.facts}
        return Outcome.skipped(
            self.reason, self.words, target, held=self.held, waits=self.waits, **facts
        )


PASSED = Answer()
