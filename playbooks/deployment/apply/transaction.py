"""Steps that can be undone: what was created goes, what was changed or removed comes back."""

from __future__ import annotations

import time
from functools import partial
from typing import Callable, List, Tuple

from playbooks.core.cluster.conflicts import until_written, written
from playbooks.core.cluster.manifest import Manifest, shown
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.errors import AlreadyExists, PlaybookError
from playbooks.deployment.apply.steps import Create, Keep, Remove, Replace, Step, merged
from playbooks.deployment.apply.waiting import Check, Sleep, nothing, stuck, until_gone
from playbooks.deployment.errors import DeploymentError

# What the API server gives an object, and takes from nobody.
_SERVER_SET = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
)


Progress = Callable[[str, str], None]


def silent(_verb: str, _shown: str) -> None:
    """Where nobody is told."""


class Transaction:
    """``check`` is called before every step and raises to stop.

    ``progress`` is called with what was done to which object, such as ("created", "Function
    shop/falco-delete").
    """

    def __init__(
        self,
        cluster: ClusterObjects,
        *,
        check: Check = nothing,
        sleep: Sleep = time.sleep,
        progress: Progress = silent,
    ) -> None:
        self._cluster = cluster
        self._progress = progress
        self._check = check
        self._sleep = sleep
        self._undo: List[Tuple[bool, Manifest]] = []

    def do(self, step: Step) -> Manifest:
        """The object as it then is; for a removed one, as it was."""
        self._check()
        if isinstance(step, Keep):
            return self._done("unchanged", step.previous)
        if isinstance(step, Create):
            return self._done("created", self._create(step.wanted))
        if isinstance(step, Replace):
            return self._done("changed", self._replace(step))
        self._remove(step)
        return self._done("removed", step.previous)

    def undo(self, *, restore: bool = True) -> List[str]:
        """Undo every step, the last one first; with ``restore`` false only what was created. The
        answers name what could not be undone."""
        failed = []
        for was_there, manifest in reversed(self._undo):
            if was_there and not restore:
                continue
            try:
                if was_there:
                    # A controller may write in between, such as the status of a Deployment.
                    until_written(partial(self._restore, manifest))
                else:
                    self._take_back(manifest)
            except PlaybookError as error:
                failed.append(f"{shown(manifest)}: {error}")
        return failed

    @property
    def changed(self) -> bool:
        return bool(self._undo)

    def _done(self, verb: str, manifest: Manifest) -> Manifest:
        self._progress(verb, shown(manifest))
        return manifest

    def _create(self, wanted: Manifest) -> Manifest:
        # Noted before the call: when it times out, nobody knows whether the object is there.
        self._undo.append((False, wanted))
        try:
            return self._cluster.create([wanted])[0]
        except AlreadyExists:
            self._undo.pop()
            raise

    def _replace(self, step: Replace) -> Manifest:
        self._undo.append((True, step.previous))

        def write(current: Manifest) -> Manifest:
            return self._cluster.replace([merged(step.wanted, current)])[0]

        def again() -> Manifest:
            return next(iter(self._cluster.get([step.previous])), step.previous)

        return written(step.previous, write, again)

    def _remove(self, step: Remove) -> None:
        self._undo.append((True, step.previous))
        self._cluster.delete(step.previous)
        if step.waits:
            self._wait_until_gone(step.previous, self._check)

    def _take_back(self, manifest: Manifest) -> None:
        self._cluster.delete(manifest)
        self._wait_until_gone(manifest, nothing)

    def _restore(self, previous: Manifest) -> None:
        current = self._cluster.get([previous])
        if current and "deletionTimestamp" in current[0]["metadata"]:
            self._wait_until_gone(previous, nothing)
            current = []
        if not current:
            self._cluster.create([_new(previous)])
            return
        metadata = {**_new(previous)["metadata"]}
        for key in ("finalizers", "resourceVersion", "uid"):
            if key in current[0]["metadata"]:
                metadata[key] = current[0]["metadata"][key]
        self._cluster.replace([{**previous, "metadata": metadata}])

    def _wait_until_gone(self, manifest: Manifest, check: Check) -> None:
        if until_gone(self._cluster, [manifest], check=check, sleep=self._sleep):
            raise DeploymentError(stuck(manifest))


def _new(previous: Manifest) -> Manifest:
    """The object as one would create it again."""
    metadata = {k: v for k, v in previous["metadata"].items() if k not in _SERVER_SET}
    return {**previous, "metadata": metadata}
