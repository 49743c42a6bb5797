"""``-E kubeless``: Kubeless' controllers serve the Function. Also: whether they run."""

from __future__ import annotations

from typing import Any, List, Mapping, Optional, Sequence

from playbooks.core.cluster.manifest import Manifest, identity, reference, shown
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.errors import NotPermitted
from playbooks.deployment.apply import preflight, set_up
from playbooks.deployment.apply.steps import Objects
from playbooks.deployment.apply.waiting import Check, Sleep, looks
from playbooks.deployment.engines.cluster_engine import ClusterEngine, answered, managed, removal_of
from playbooks.deployment.engines.engine import Invocation
from playbooks.deployment.engines.existing import Existing
from playbooks.deployment.errors import DeploymentError
from playbooks.deployment.manifests import admission_policies, ledger, rbac
from playbooks.deployment.manifests.environment import secrets
from playbooks.deployment.manifests.function import function, packed, triggers
from playbooks.deployment.manifests.network_policy import network_policy
from playbooks.deployment.packaging.archive import too_large
from playbooks.deployment.packaging.dependencies import too_old
from playbooks.deployment.request.names import runtime_minor
from playbooks.deployment.request.options import Options
from playbooks.deployment.request.request import Request
from playbooks.deployment.request.settings import set_by
from playbooks.deployment.terminal import print_messages

# The variables that Kubeless sets after those of the user.
_ITS_OWN = (
    "FUNC_HANDLER",
    "FUNC_MEMORY_LIMIT",
    "FUNC_PORT",
    "FUNC_RUNTIME",
    "FUNC_TIMEOUT",
    "KUBELESS_DEPS_FILE",
    "KUBELESS_INSTALL_VOLUME",
    "MOD_NAME",
    "PYTHONPATH",
)

# Where Kubeless' controllers are, unless KUBELESS_NAMESPACE names another namespace.
NAMESPACE = "kubeless"

# Source: vmware-archive/kubeless, kubeless-non-rbac.jsonnet.
CONTROLLER = "kubeless-controller-manager"
SELECTOR = "kubeless=controller"

FINALIZER = "kubeless.io/function"

# Seconds in which a controller that runs puts its finalizer on a new Function.
FINALIZER_WITHIN = 3.0

# The same of a Function and its triggers, where both controllers are wanted.
ACCEPTED_WITHIN = 5.0

_INTERFERES = (
    "Kubeless' controller is at work in this cluster: {how}. It would write over what -E kubernetes"
    " makes; deploy with -E kubeless"
)


class Kubeless(ClusterEngine):
    name = "kubeless"
    summary = "Kubeless' own controllers"
    runtimes = True

    def problems(self, request: Request, options: Options) -> List[str]:
        found = set_by("Kubeless", request.names_given, _ITS_OWN.__contains__)
        minor = runtime_minor(request.runtime)
        older = too_old(request.playbook.installs(request.values), minor) if minor else []
        found += [f"runtime {request.runtime}: {each}" for each in older]
        return found + too_large(lambda: packed(request))

    def objects(self, request: Request, invocation: Invocation, existing: Existing) -> Objects:
        namespace = invocation.namespace
        place = (request.function, namespace)
        caller, texts = controller_namespace(invocation.environ), existing.referenced
        return Objects(
            function=function(request, namespace),
            accessories=[
                rbac.service_account(request, namespace),
                *secrets(request, namespace),
                *rbac.roles(request, namespace),
                *ledger.ledger(request, namespace),
                *admission_policies.beside(request, namespace, existing.bound, texts),
                network_policy(*place, caller),
            ],
            triggers=triggers(*place, request.topics),
            earlier=[
                reference("v1", "Secret", *place),
                ledger.earlier(*place),
                admission_policies.earlier(*place),
            ],
            afterwards=admission_policies.parameters(request, namespace, texts),
        )

    def look(self, request: Request, invocation: Invocation) -> Existing:
        cluster, namespace = invocation.cluster, invocation.namespace
        preflight.check_cluster(cluster)
        texts = preflight.check_references(cluster, request, namespace)
        caller = controller_namespace(invocation.environ)
        print_messages("warning", preflight.warnings(cluster, caller))
        return Existing(referenced=texts, bound=set_up.bound(cluster, request, namespace))

    def warnings(self, objects: Objects, invocation: Invocation) -> List[str]:
        ours = [objects.function, *objects.triggers]
        return not_accepted(invocation.cluster, ours, sleep=invocation.sleep)

    def hints(self, objects: Objects, options: Options) -> List[str]:
        return [
            *answered(objects.triggers),
            *managed(objects, options),
            f"remove it:  {removal_of(objects, options)}",
        ]


ENGINE = Kubeless()


def controller_namespace(environ: Mapping[str, str]) -> str:
    """Where Kubeless' controllers are, if they are anywhere."""
    return environ.get("KUBELESS_NAMESPACE", NAMESPACE)


def ready_controller(cluster: ClusterObjects, namespace: str) -> Optional[str]:
    """The Deployment of Kubeless' controller, where one is ready, as messages name it.

    Raises NotPermitted where neither Deployments of all namespaces nor this one may be read.
    """
    try:
        found = cluster.list(("deployments.apps",), selector=SELECTOR)
    except NotPermitted:
        found = cluster.get([reference("apps/v1", "Deployment", CONTROLLER, namespace)])
    return next((shown(each) for each in found if _is_ready(each)), None)


def refuse_controller(cluster: ClusterObjects, namespace: str) -> None:
    """Where it may not be looked for, the finalizer of the Function shows it later."""
    try:
        deployment = ready_controller(cluster, namespace)
    except NotPermitted:
        return
    if deployment:
        raise DeploymentError(_INTERFERES.format(how=f"{deployment} is ready"))


def refuse_finalizer(functions: Sequence[Manifest]) -> None:
    """Functions that a controller of Kubeless handles, or once did."""
    for each in functions:
        if FINALIZER in (each["metadata"].get("finalizers") or []):
            _, namespace, name = identity(each)
            raise DeploymentError(
                _INTERFERES.format(how=f"its finalizer {FINALIZER} is on {shown(each)}")
                + ". If no controller runs any more, take it off: kubectl patch function"
                + f' {name} -n {namespace} --type merge -p \'{{"metadata":{{"finalizers":null}}}}\''
            )


def refuse_new_finalizer(
    cluster: ClusterObjects, created: Manifest, *, check: Check, sleep: Sleep
) -> None:
    """Wait whether a controller of Kubeless puts its finalizer on a new Function."""
    for _ in looks(FINALIZER_WITHIN, check=check, sleep=sleep):
        refuse_finalizer(cluster.get([created]))


def not_accepted(
    cluster: ClusterObjects, manifests: Sequence[Manifest], *, sleep: Sleep
) -> List[str]:
    """A warning for the objects that have no finalizer of a controller after some seconds."""
    for _ in looks(ACCEPTED_WITHIN, sleep=sleep):
        found = cluster.get(manifests)
        waiting = [shown(each) for each in found if not each["metadata"].get("finalizers")]
        if not waiting:
            return []
    return [
        f"no controller of Kubeless handles {', '.join(waiting)}: until one does, no alert is"
        " answered (Kubeless' function controller starts on Kubernetes 1.21 at most, its NATS"
        " trigger on 1.17)"
    ]


def _is_ready(deployment: Mapping[str, Any]) -> bool:
    named = deployment["metadata"]["name"] == CONTROLLER
    return named and ((deployment.get("status") or {}).get("readyReplicas") or 0) > 0
