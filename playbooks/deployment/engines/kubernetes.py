"""The kubernetes engine: a worker of ours serves the Function, and the kubeless CLI manages it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Dict, List, Mapping, Optional, Set

from playbooks.core.cluster.manifest import Manifest, labels, reference
from playbooks.deployment import outward
from playbooks.deployment.apply.steps import Objects
from playbooks.deployment.command_line import Options
from playbooks.deployment.engines import pod_patch
from playbooks.deployment.engines.existing import HASH_KEY, Surroundings
from playbooks.deployment.manifests import access, ledger, worker
from playbooks.deployment.manifests.environment import secrets
from playbooks.deployment.manifests.function import function, triggers
from playbooks.deployment.manifests.network_policy import worker_policy
from playbooks.deployment.manifests.worker_pod import SHUTDOWN, pod
from playbooks.deployment.packaging.archive import worker_archive
from playbooks.deployment.packaging.dependencies import requirements
from playbooks.deployment.request import worker_settings
from playbooks.deployment.request.request import Request

# What the worker imports, whatever the playbook; nkeys only where there are credentials.
PACKAGES = ("kubernetes", "nats-py", "prometheus-client", "h11")
CREDENTIALS = "NATS_CREDS"

MOST_REPLICAS = 100


@dataclass(frozen=True)
class Pods:
    """How the workers run. ``image`` empty: the stock Python image installs the packages."""

    image: str = ""
    replicas: int = 1
    patch: Mapping[str, Any] = field(default_factory=dict)


def pods(options: Options) -> Pods:
    """Raises UsageError."""
    patch = pod_patch.read(options.patch) if options.patch else {}
    return Pods(options.image or "", 1 if options.replicas is None else options.replicas, patch)


def problems(request: Request, options: Options) -> List[str]:
    """What this engine cannot do of a request that is otherwise in order."""
    given = [*request.values, *(reference.name for reference in request.references)]
    found = [
        f"{name} is a variable that deploy_playbook sets itself"
        for name in given
        if name in worker_settings.ITS_OWN
    ]
    if options.replicas is not None and not 1 <= options.replicas <= MOST_REPLICAS:
        found.append(f"-R is {options.replicas}, expected a number from 1 to {MOST_REPLICAS}")
    if options.image is not None and (
        not options.image or options.image.split() != [options.image]
    ):
        found.append(f"-i is {options.image!r}, expected the name of an image")
    if any(reference.name == SHUTDOWN for reference in request.references):
        found.append(f"{SHUTDOWN} decides the pod's grace period: it can come by -e only")
    if request.values.get("HTTP") == "off" and worker_settings.TOKEN.name in given:
        found.append("HTTP_TOKEN is given and HTTP=off: nobody could use it")
    return found


def objects(request: Request, namespace: str, chosen: Pods, surroundings: Surroundings) -> Objects:
    name = request.function
    request_with_token = _with_token(request, surroundings.token)
    place = (name, namespace)
    packages = (*PACKAGES, *(["nkeys"] if _has_credentials(request) else []))
    archive = b"" if chosen.image else worker_archive(request.playbook.name)
    installed = {*packages, *request.playbook.installs(request.values)}
    needs = "" if chosen.image else requirements(installed)
    config_map = [] if chosen.image else [worker.config_map(*place, archive, needs)]
    contents = {
        "archive": archive.hex(),
        "requirements": needs,
        "referenced": dict(surroundings.referenced),
        "secrets": {key: request.values[key] for key in request.secrets if key != _TOKEN},
    }
    made_pod = pod(
        request_with_token,
        namespace,
        image=chosen.image,
        config_map=worker.config_map_name(name),
    )
    template = worker.template(
        name, made_pod, {**contents, "patch": chosen.patch}, surroundings.hash_key
    )
    ports = _ports(request, surroundings)
    return Objects(
        function=function(request, namespace),
        accessories=[
            {**access.service_account(request, namespace), "automountServiceAccountToken": False},
            _secret(request_with_token, namespace, surroundings.hash_key),
            *config_map,
            *access.roles(request, namespace),
            *ledger.ledger(request, namespace),
            access.worker_binding(*place),
            # While it rolls, workers of before reach what they need, too.
            worker_policy(*place, {*ports, *surroundings.ports_before}),
            worker.service(*place),
            *worker.disruption_budget(*place, chosen.replicas),
            worker.deployment(*place, _patched(template, chosen, name), chosen.replicas),
        ],
        triggers=triggers(*place, request.topics),
        earlier=[
            reference("v1", "ConfigMap", worker.config_map_name(name), namespace),
            reference("policy/v1", "PodDisruptionBudget", name, namespace),
            ledger.earlier(*place),
        ],
        afterwards=[worker_policy(*place, ports)],
        owns_triggers=True,
    )


def warnings_of_printing(request: Request) -> List[str]:
    """What of the objects depends on a cluster that nobody asked."""
    found = ["the bearer token is generated anew each time this is printed"]
    if request.references:
        names = ", ".join(reference.name for reference in request.references)
        found.append(
            f"what is in {names} is read on deploying only: a port that stands there is missing in"
            " the NetworkPolicy"
        )
    return found


def hints(objects: Objects) -> List[str]:
    """What answers which topic, and how to see, call and remove what was deployed."""
    function = objects.function["metadata"]["name"]
    namespace = objects.function["metadata"]["namespace"]
    name = function[len("falco-") :]
    here = f"-N {name} -n {namespace}"
    secret = next(m for m in objects.accessories if m["kind"] == "Secret")
    by_http = [
        f"by HTTP:    POST http://{function}.{namespace}.svc:8080/"
        " with Authorization: Bearer TOKEN",
        f"its token:  falco-playbook token {here}",
    ]
    return [
        *(f"{t['metadata']['name']} answers {t['spec']['topic']}" for t in objects.triggers),
        *(by_http if _TOKEN in secret["data"] else []),
        f"see it:     kubeless function list {function} -n {namespace}",
        f"            or kubectl get deployment {function} -n {namespace}",
        f"its log:    kubeless function logs {function} -n {namespace}",
        f"given up:   falco-playbook dead {here}",
        f"remove it:  deploy_playbook -x {here}",
    ]


_TOKEN = worker_settings.TOKEN.name


def _with_token(request: Request, token: str) -> Request:
    """The same, with the token among its secrets, unless it comes otherwise or is not wanted."""
    elsewhere = any(reference.name == _TOKEN for reference in request.references)
    if elsewhere or _TOKEN in request.values or request.values.get("HTTP") == "off":
        return request
    return replace(
        request,
        values={**request.values, _TOKEN: token},
        secrets=(*request.secrets, _TOKEN),
    )


def _secret(request: Request, namespace: str, hash_key: str) -> Manifest:
    keyed = replace(
        request,
        values={**request.values, HASH_KEY: hash_key},
        secrets=(*request.secrets, HASH_KEY),
    )
    return secrets(keyed, namespace)[0]


def _has_credentials(request: Request) -> bool:
    given = [*request.values, *(reference.name for reference in request.references)]
    return CREDENTIALS in given


def _ports(request: Request, surroundings: Surroundings) -> Set[int]:
    defaults = {s.name: s.default for s in request.settings if s.default}
    texts: Dict[str, Optional[str]] = {**defaults, **request.values, **surroundings.referenced}
    return {*surroundings.api_ports, *outward.ports(text for text in texts.values() if text)}


def _patched(template: Dict[str, Any], chosen: Pods, function: str) -> Dict[str, Any]:
    """What the Deployment's selector selects stays as it is, whatever a patch says."""
    made = pod_patch.patched(template, chosen.patch)
    made["metadata"]["labels"] = {**(made["metadata"].get("labels") or {}), **labels(function)}
    return made
