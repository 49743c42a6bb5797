"""Which ledgers there are of a playbook: every Function that runs it has one."""

from __future__ import annotations

from typing import Any, List, Mapping

from playbooks.commands.cluster import Cluster
from playbooks.commands.command_line import Options
from playbooks.commands.reach import Place
from playbooks.core.ledger.limits import object_name
from playbooks.deployment.apply import preflight
from playbooks.deployment.errors import DeploymentError
from playbooks.deployment.kubectl import KubectlError
from playbooks.deployment.manifests import ledger

NONE = "off"


def places(options: Options, kubectl: Cluster, playbook: str) -> List[Place]:
    """Those to ask or to write: the one that was given, or those of all Functions of the playbook,
    in whatever namespace. Raises DeploymentError where there is none."""
    if options.ledger == NONE:
        return []
    given = object_name(options.ledger) if options.ledger else None
    if given:
        return [given]
    preflight.check_kubectl()
    found = [_place(function) for function in _functions(options, kubectl, playbook)]
    if not found:
        named = f" named {options.function}" if options.function else ""
        raise DeploymentError(
            f"no Function{named} of playbook {playbook} is deployed in this cluster, so"
            f" that nothing tells its ledger: {_ADVICE}"
        )
    return found


_ADVICE = f"--ledger NAMESPACE/NAME names it, --ledger {NONE} goes without"


def _functions(options: Options, kubectl: Cluster, playbook: str) -> List[Mapping[str, Any]]:
    try:
        found = kubectl.list(("functions.kubeless.io",))
    except KubectlError as error:
        raise DeploymentError(f"Functions cannot be listed: {error}\n{_ADVICE}") from error
    return [
        function
        for function in found
        if (function.get("spec") or {}).get("handler") == f"{playbook}.handler"
        and options.function in ("", function["metadata"]["name"])
    ]


def _place(function: Mapping[str, Any]) -> Place:
    """As its pods are told."""
    metadata = function["metadata"]
    told = _environment(function).get(ledger.SETTING)
    namespace, name = object_name(told or "") or ("", ledger.name(metadata["name"]))
    return namespace or metadata["namespace"], name


def _environment(function: Mapping[str, Any]) -> Mapping[str, str]:
    found = function["spec"]
    for part in ("deployment", "spec", "template", "spec"):
        found = found.get(part) or {}
    return {
        variable["name"]: variable.get("value", "")
        for container in found.get("containers") or ()
        for variable in container.get("env") or ()
    }
