"""What kubectl does not do when an engine has it apply rights again: ask before they grow, and
remove those that are not needed any more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Mapping, Optional, Sequence, Tuple

from playbooks.core.cluster.manifest import Manifest, identity, shown
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.errors import NotFound, NotPermitted, PlaybookError
from playbooks.deployment.apply import orphaned_roles
from playbooks.deployment.apply.confirmation import confirm, wider_rights
from playbooks.deployment.apply.diff import difference
from playbooks.deployment.apply.steps import Remove
from playbooks.deployment.engines.engine import Engine, Invocation
from playbooks.deployment.engines.pushed import lost
from playbooks.deployment.manifests import rights
from playbooks.deployment.manifests.environment import plain_values
from playbooks.deployment.request.request import Request
from playbooks.deployment.terminal import print_messages, print_step


@dataclass(frozen=True)
class AppliedRights:
    """Of one function. ``wanted``: what ``Engine.rights`` has. ``there``: its roles and bindings of
    before. ``problems``: why more of these may be there, in words."""

    request: Request
    invocation: Invocation
    wanted: Sequence[Manifest]
    there: Sequence[Manifest]
    problems: Sequence[str] = ()

    @classmethod
    def look(cls, engine: Engine, request: Request, invocation: Invocation) -> AppliedRights:
        wanted = engine.rights(request, invocation)
        selector = rights.selector(request.function, engine.namespace(invocation))
        there, problems = _look(invocation.cluster, selector, wanted)
        return cls(request, invocation, wanted, there, problems)

    def confirm(self, there: Manifest) -> None:
        """``there``: a reference to what has the function's pods and their variables. Raises
        DeploymentError unless somebody agrees to what would be lost or granted; nobody is asked for
        a first deployment."""
        variables = _variables(self.invocation.cluster, there)
        if variables is None:
            return
        changes = [*lost(self.request, variables), *wider_rights(self.there, self.wanted)]
        confirm(changes, agreed=self.invocation.options.yes, reusable=False)

    def differ(self) -> bool:
        """Whether something is left of before. Prints what, as a diff."""
        changes = difference(self.invocation.cluster, [Remove(each) for each in self._left()])
        print(changes, end="")
        return bool(changes)

    def remove_left(self) -> None:
        """What is not wanted any more, once the rest is applied. Prints it."""
        problems = list(self.problems)
        for each in self._left():
            try:
                self.invocation.cluster.delete(each)
                print_step("removed", f"{shown(each)}, which is not needed any more")
            except PlaybookError as error:
                problems.append(f"{shown(each)} is not needed any more, and stays: {error}")
        print_messages("warning", problems)

    def _left(self) -> List[Manifest]:
        wanted = set(map(identity, self.wanted))
        return [each for each in self.there if identity(each) not in wanted]


def _look(
    cluster: ClusterObjects, selector: str, wanted: Sequence[Manifest]
) -> Tuple[List[Manifest], List[str]]:
    try:
        return cluster.list(orphaned_roles.RESOURCES, selector=selector), []
    except NotPermitted as error:
        said = f"whether rights of before are left cannot be looked at: {error}"
    roles = [each for each in wanted if "rules" in each or "roleRef" in each]
    return cluster.get(roles), [said]


def _variables(cluster: ClusterObjects, there: Manifest) -> Optional[Mapping[str, str]]:
    """None where it is not there, nor anything of its kind."""
    try:
        found = cluster.get([there])
    except NotFound:
        return None
    return plain_values(found[0]["spec"]["template"]["spec"]["containers"][0]) if found else None
