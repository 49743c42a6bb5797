"""What a cluster needs once: two resource definitions, two roles and the admission policies."""

from __future__ import annotations

from typing import List, Sequence

from playbooks.core.cluster.manifest import (
    FUNCTION,
    FUNCTION_NAMESPACE,
    KUBELESS_API,
    MANAGED_BY,
    MANAGER,
    Manifest,
    identity,
    label,
    shown,
)
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.errors import AlreadyExists, NotPermitted
from playbooks.deployment.apply import preflight
from playbooks.deployment.apply.steps import Create, Keep, Step, step, without_idle
from playbooks.deployment.apply.transaction import Transaction
from playbooks.deployment.apply.waiting import Sleep, looks
from playbooks.deployment.errors import DeploymentError
from playbooks.deployment.manifests import admission_policies
from playbooks.deployment.manifests.admission_policies import Bound
from playbooks.deployment.manifests.crds import LABELS, RESOURCES, definitions
from playbooks.deployment.manifests.rbac import deployer_role, worker_role
from playbooks.deployment.request.request import Request
from playbooks.deployment.terminal import print_messages, print_step

# Seconds in which the API server serves what was defined.
SERVED_WITHIN = 30.0

_ADMINISTRATOR = """\
An administrator has to set the cluster up once:
    deploy_playbook -S
or, to see it first:
    deploy_playbook -S -d > set-up.yaml; kubectl apply -f set-up.yaml"""


def manifests() -> List[Manifest]:
    return [*definitions(), worker_role(), deployer_role(), *admission_policies.policies()]


def set_up(cluster: ClusterObjects, *, sleep: Sleep) -> None:
    """Make what is missing, and bring what deploy_playbook made up to date. Prints what it does.

    Objects that others made are left alone, such as the definitions that came with Kubeless.
    Raises DeploymentError with what an administrator has to do.
    """
    served = serves_policies(cluster)
    wanted = [m for m in manifests() if served or m["kind"] not in admission_policies.KINDS]
    try:
        wanted += _bindings(cluster) if served else []
        apply(cluster, wanted)
        if served:
            _remove_bindings_without_settings(cluster)
    except NotPermitted as error:
        raise DeploymentError(f"{error}\n{_ADMINISTRATOR}") from error
    _wait_until_served(cluster, sleep)
    if not served:
        print_step("left out", _left_out(cluster))


def apply(cluster: ClusterObjects, wanted: List[Manifest]) -> None:
    """Create what is missing and change what deploy_playbook made; objects of others are left
    alone. Prints what it does. Raises a PlaybookError."""
    _do(cluster, _steps(cluster, wanted))


def serves_policies(cluster: ClusterObjects) -> bool:
    """Whether the API server knows admission policies."""
    return admission_policies.RESOURCE in preflight.served(cluster, admission_policies.API)


def bound(cluster: ClusterObjects, request: Request, namespace: str) -> Bound:
    """What is known of the cluster for admission policies that know the settings of a function."""
    found = cluster.get([admission_policies.earlier(request.function, namespace)])
    before = (found[0].get("data") or {}) if found else None
    bindings = admission_policies.bindings(request.playbook, request.function, namespace)
    return Bound(_may_bind(cluster, bindings), before)


def _may_bind(cluster: ClusterObjects, bindings: List[Manifest]) -> bool:
    """Whether they are served, and who deploys may write what belongs to no namespace."""
    if not bindings or not serves_policies(cluster):
        return False
    try:
        cluster.create(bindings[:1], dry_run=True)
    except AlreadyExists:
        return True
    except NotPermitted as error:
        said = "admission policies hold the account to its settings only once an administrator has"
        print_messages("warning", [f"{said} deployed it, or run deploy_playbook -S: {error}"])
        return False
    return True


def _bindings(cluster: ClusterObjects) -> List[Manifest]:
    """Those for the settings of all functions that are deployed."""
    found = cluster.list(("configmaps",), selector=admission_policies.PARAMETERS)
    return [m for each in found for m in admission_policies.of_parameters(each)]


def _remove_bindings_without_settings(cluster: ClusterObjects) -> None:
    """Those of functions that were removed by their labels, and their settings with them. Those of
    Functions go as orphans."""
    # In this order: what is deployed meanwhile has its settings before it is bound.
    ours = f"{MANAGED_BY}={MANAGER}"
    found = cluster.list((admission_policies.BINDINGS,), selector=ours)
    settings = (
        cluster.list(("configmaps",), selector=admission_policies.PARAMETERS) if found else []
    )
    there = {(each["metadata"]["namespace"], label(each, FUNCTION)) for each in settings}
    left = [e for e in found if (label(e, FUNCTION_NAMESPACE), label(e, FUNCTION)) not in there]
    for each in left:
        cluster.delete(each)
        print_step("removed", f"{shown(each)}, whose function is gone")


def complete(cluster: ClusterObjects, *, sleep: Sleep) -> None:
    """Make what a function needs and is missing, before it is deployed: definitions and role."""
    needed = [] if _serves_functions(cluster) else definitions()
    if not _has_role(cluster):
        needed.append(worker_role())
    try:
        steps = [s for s in _steps(cluster, needed) if isinstance(s, Create)] if needed else []
        _do(cluster, steps)
    except NotPermitted as error:
        missing = ", ".join(shown(m) for m in needed)
        raise DeploymentError(
            f"this cluster lacks {missing}, and you may not make it: {error}\n{_ADMINISTRATOR}"
        ) from error
    if needed:
        _wait_until_served(cluster, sleep)


def _steps(cluster: ClusterObjects, wanted: List[Manifest]) -> List[Step]:
    found = {identity(m): m for m in cluster.get(wanted)}
    steps: List[Step] = []
    for manifest in wanted:
        there = found.get(identity(manifest))
        if there and not is_ours(there):
            steps.append(Keep(there))
        else:
            steps.append(step(manifest, there))
    return without_idle(cluster, steps)


def _do(cluster: ClusterObjects, steps: Sequence[Step]) -> None:
    transaction = Transaction(cluster, progress=print_step)
    for each in steps:
        if isinstance(each, Keep) and not is_ours(each.previous):
            print_step("unchanged", f"{shown(each.previous)}, which others made")
            continue
        try:
            transaction.do(each)
        except AlreadyExists:
            assert isinstance(each, Create)
            print_step("unchanged", shown(each.wanted))  # Somebody else was faster.


def is_ours(manifest: Manifest) -> bool:
    """Whether deploy_playbook made it, for all playbooks."""
    return all(label(manifest, key) == value for key, value in LABELS.items())


def _has_role(cluster: ClusterObjects) -> bool:
    """True also where it may not be read: a worker without the role says so in its log."""
    try:
        return bool(cluster.get([worker_role()]))
    except NotPermitted:
        return True


def _left_out(cluster: ClusterObjects) -> str:
    version = cluster.raw("/version").get("gitVersion", "this version")
    return (
        f"{admission_policies.POLICY}: Kubernetes serves it from {admission_policies.SINCE} on, and"
        f" here it is {version}: nothing but their roles holds our accounts to what they need"
    )


def _serves_functions(cluster: ClusterObjects) -> bool:
    return preflight.served(cluster, KUBELESS_API) >= set(RESOURCES)


def _wait_until_served(cluster: ClusterObjects, sleep: Sleep) -> None:
    for _ in looks(SERVED_WITHIN, sleep=sleep):
        if _serves_functions(cluster):
            return
    raise DeploymentError(
        f"the API server does not serve {KUBELESS_API} {SERVED_WITHIN:.0f} seconds after it was"
        " defined: kubectl describe crd functions.kubeless.io natstriggers.kubeless.io"
    )
