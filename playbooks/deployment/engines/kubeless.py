"""The Kubeless engine: which objects a request comes to, and what one can do with them."""

from __future__ import annotations

from typing import List

from playbooks.core.cluster.manifest import reference
from playbooks.deployment.apply.steps import Objects
from playbooks.deployment.manifests import access, ledger
from playbooks.deployment.manifests.environment import secrets
from playbooks.deployment.manifests.function import function, triggers
from playbooks.deployment.manifests.network_policy import network_policy
from playbooks.deployment.request.request import Request

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

# Where Kubeless' controllers are, unless KUBELESS_NAMESPACE says otherwise.
CALLER = "kubeless"


def problems(request: Request) -> List[str]:
    """What this engine cannot do of a request that is otherwise in order."""
    given = [*request.values, *(reference.name for reference in request.references)]
    return [f"{name} is a variable that Kubeless sets itself" for name in given if name in _ITS_OWN]


def objects(request: Request, namespace: str, caller: str = CALLER) -> Objects:
    return Objects(
        function=function(request, namespace),
        accessories=[
            access.service_account(request, namespace),
            *secrets(request, namespace),
            *access.roles(request, namespace),
            *ledger.ledger(request, namespace),
            network_policy(request.function, namespace, caller),
        ],
        triggers=triggers(request.function, namespace, request.topics),
        earlier=[
            reference("v1", "Secret", request.function, namespace),
            ledger.earlier(request.function, namespace),
        ],
    )


def hints(objects: Objects) -> List[str]:
    """What answers which topic, and how to see and remove what was deployed."""
    function = objects.function["metadata"]["name"]
    namespace = objects.function["metadata"]["namespace"]
    name = function[len("falco-") :]
    return [
        *(f"{t['metadata']['name']} answers {t['spec']['topic']}" for t in objects.triggers),
        f"see it:     kubeless function list {function} -n {namespace}",
        f"its log:    kubeless function logs {function} -n {namespace}",
        f"remove it:  deploy_playbook -x -N {name} -n {namespace}",
    ]
