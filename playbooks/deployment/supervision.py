"""The kubernetes engine's onlooker: no controller of Kubeless interferes, and the workers start."""

from __future__ import annotations

import time
from typing import Callable, Optional

from playbooks.core.cluster.manifest import Manifest
from playbooks.deployment import controllers
from playbooks.deployment.apply import rollout
from playbooks.deployment.apply.observer import Onlooker
from playbooks.deployment.apply.steps import Objects
from playbooks.deployment.apply.waiting import Check, Sleep, nothing
from playbooks.deployment.kubectl import Kubectl


class Supervision(Onlooker):
    """``tell``: takes lines of progress."""

    def __init__(
        self,
        kubectl: Kubectl,
        objects: Objects,
        *,
        tell: Callable[[str], None],
        check: Check = nothing,
        sleep: Sleep = time.sleep,
    ) -> None:
        self._kubectl = kubectl
        self._function = objects.function
        self.deployment = next(m for m in objects.accessories if m["kind"] == "Deployment")
        self._tell, self._check, self._sleep = tell, check, sleep

    def found(self, function: Optional[Manifest]) -> None:
        if function:
            controllers.refuse_finalizer(function)

    def created(self, function: Manifest) -> None:
        controllers.refuse_interest(self._kubectl, function, check=self._check, sleep=self._sleep)

    def stored(self) -> None:
        rollout.wait(
            self._kubectl, self.deployment, tell=self._tell, check=self._check, sleep=self._sleep
        )
        controllers.refuse_any(self._kubectl.get([self._function]))
