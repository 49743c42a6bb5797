"""``-E kubernetes``: a worker of ours serves the Function, and the kubeless CLI manages it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, Dict, List, Mapping, Optional

from playbooks.core.cluster.manifest import Identity, Manifest, reference
from playbooks.core.instant import duration
from playbooks.deployment.apply import preflight, rollout, set_up
from playbooks.deployment.apply.deploy import Observer
from playbooks.deployment.apply.steps import Objects
from playbooks.deployment.apply.waiting import Check
from playbooks.deployment.engines import existing as existing_objects
from playbooks.deployment.engines import kubeless
from playbooks.deployment.engines.cluster_engine import (
    ClusterEngine,
    about,
    answered,
    managed,
    removal_of,
)
from playbooks.deployment.engines.engine import IMAGE, Invocation, Option
from playbooks.deployment.engines.existing import RELEASE_KEY, Existing
from playbooks.deployment.errors import UsageError
from playbooks.deployment.manifests import admission_policies, ledger, pod_patch, rbac, worker
from playbooks.deployment.manifests.environment import secrets
from playbooks.deployment.manifests.function import function, triggers
from playbooks.deployment.manifests.network_policy import (
    ingress_addresses,
    lets_all_in,
    worker_policy,
)
from playbooks.deployment.manifests.secret import HASH_KEY
from playbooks.deployment.manifests.worker_pod import SHUTDOWN, pod
from playbooks.deployment.packaging.archive import too_large, worker_archive
from playbooks.deployment.packaging.dependencies import requirements
from playbooks.deployment.request import worker_settings
from playbooks.deployment.request.names import image_problems
from playbooks.deployment.request.options import Options
from playbooks.deployment.request.request import Request
from playbooks.deployment.request.settings import by_value_only, set_by
from playbooks.deployment.terminal import print_step
from playbooks.engines.worker import watched
from playbooks.engines.worker.settings import ANY, HTTP_FROM, SOURCES
from playbooks.engines.worker.settings import packages as worker_packages
from playbooks.infrastructure import wiring

# What the worker imports, whatever the playbook; nkeys only where there are credentials.
PACKAGES = (
    *wiring.PACKAGES,
    *("nats-py", "prometheus-client", "h11", "msgspec", "httptools", "uvloop"),
)
CREDENTIALS = "NATS_CREDS"

MOST_REPLICAS = 100

# Settings whose value decides what is deployed, and what they decide.
_DECIDING = {
    SHUTDOWN: "the pod's grace period",
    **dict.fromkeys((each.name for each in SOURCES), "the network policy"),
}

REPLICAS = Option(
    "replicas",
    ("-R", "--replicas"),
    "with -E kubernetes: how many workers share the alerts; default 1",
    "REPLICAS",
    int,
    default="1",
)
PATCH = Option(
    "patch",
    ("-P", "--patch"),
    "with -E kubernetes: a patch of the pod template, as YAML or JSON",
    "FILE",
    parts=True,
)


TIMEOUT = Option(
    "timeout",
    ("--timeout",),
    "with -E kubernetes: how long the workers may take to become ready, such as 10m; default 5m,"
    " and 1m for one that runs and is not ready",
    "DURATION",
    duration(1, 86400),
    typed=True,
)
NO_WAIT = Option(
    "no_wait",
    ("--no-wait",),
    "with -E kubernetes: do not wait until the workers are ready",
    typed=True,
)
KEEP_FAILED = Option(
    "keep_failed",
    ("--keep-failed",),
    "with -E kubernetes: keep what does not become ready, to look at it, instead of rolling back",
    typed=True,
)


class Kubernetes(ClusterEngine):
    name = "kubernetes"
    summary = "a worker of its own"
    settings = worker_settings.SETTINGS
    options = (IMAGE, REPLICAS, PATCH, TIMEOUT, NO_WAIT, KEEP_FAILED)

    def problems(self, request: Request, options: Options) -> List[str]:
        own = options.own
        found = set_by("deploy_playbook", request.names_given, worker_settings.ITS_OWN.__contains__)
        if not 1 <= own.get(REPLICAS.name, 1) <= MOST_REPLICAS:
            given = own[REPLICAS.name]
            found.append(f"-R is {given}, expected a number from 1 to {MOST_REPLICAS}")
        found += image_problems(own.get(IMAGE.name))
        found += by_value_only(_DECIDING, request.references)
        if request.values.get("HTTP") == "off" and _TOKEN in request.names_given:
            found.append("HTTP_TOKEN is given, and HTTP=off turns the HTTP endpoint off")
        if own.get(NO_WAIT.name) and (TIMEOUT.name in own or own.get(KEEP_FAILED.name)):
            found.append("--no-wait is given, and --timeout and --keep-failed are about waiting")
        try:
            pod_patch.of_option(own.get(PATCH.name))
        except UsageError as error:
            found += error.problems
        return found if IMAGE.name in own else found + too_large(lambda: _archive(request))

    def objects(self, request: Request, invocation: Invocation, existing: Existing) -> Objects:
        name, namespace = place = request.function, invocation.namespace
        own, texts = invocation.options.own, existing.referenced
        image, replicas = own.get(IMAGE.name, ""), own.get(REPLICAS.name, 1)
        patch = pod_patch.of_option(own.get(PATCH.name))
        request_with_token = _with_token(request, existing.token)
        packages = {*PACKAGES, *(["nkeys"] if CREDENTIALS in request.names_given else [])}
        installed = {*packages, *request.playbook.installs(request.values)}
        installed |= set(worker_packages(request.values))
        archive = b"" if image else _archive(request)
        needs = "" if image else requirements(installed)
        contents = {
            "archive": archive.hex(),
            "requirements": needs,
            "referenced": dict(texts),
            # A hash without a key would let secrets be guessed.
            "secrets": {
                key: "" if existing.printed else request.values[key]
                for key in request.secrets
                if key != _TOKEN
            },
            "patch": patch,
        }
        made_pod = pod(
            request_with_token, namespace, image=image, config_map=worker.config_map_name(name)
        )
        template = worker.template(name, made_pod, contents, existing.hash_key)
        ports, sources = existing.ports(request), existing.sources(request)
        account = rbac.service_account(request, namespace)
        return Objects(
            function=function(request, namespace, code=not image),
            accessories=[
                {**account, "automountServiceAccountToken": False},
                _secret(request_with_token, namespace, existing),
                *([] if image else [worker.config_map(*place, archive, needs)]),
                *rbac.roles(request, namespace, partial(watched.rights, request.playbook)),
                *ledger.ledger(request, namespace),
                *admission_policies.beside(request, namespace, existing.bound, texts),
                rbac.worker_binding(*place),
                # During the rollout, the workers of before reach what they need, too.
                worker_policy(*place, {*ports, *existing.ports_before}, sources),
                worker.service(*place),
                *worker.disruption_budget(*place, replicas),
                worker.deployment(*place, pod_patch.laid_over(template, patch, name), replicas),
            ],
            triggers=triggers(*place, request.topics),
            earlier=[
                reference("v1", "ConfigMap", worker.config_map_name(name), namespace),
                reference("policy/v1", "PodDisruptionBudget", name, namespace),
                ledger.earlier(*place),
                admission_policies.earlier(*place),
            ],
            afterwards=[
                worker_policy(*place, ports, sources),
                *admission_policies.parameters(request, namespace, texts),
            ],
            owns_triggers=True,
        )

    def look(self, request: Request, invocation: Invocation) -> Existing:
        cluster, namespace = invocation.cluster, invocation.namespace
        preflight.check_answers(cluster)
        kubeless.refuse_controller(cluster, kubeless.controller_namespace(invocation.environ))
        texts = preflight.check_references(cluster, request, namespace)
        bound = set_up.bound(cluster, request, namespace)
        return existing_objects.look(cluster, request.function, namespace, texts, bound)

    def deployed_options(self, deployed: Mapping[Identity, Manifest]) -> Dict[str, Any]:
        for manifest in deployed.values():
            if manifest["kind"] == "Deployment":
                return _options(manifest)
        return {}

    def serves(self, deployed: Mapping[Identity, Manifest]) -> bool:
        return any(m["kind"] == "Deployment" and worker.is_worker(m) for m in deployed.values())

    def prepare(self, invocation: Invocation) -> None:
        set_up.complete(invocation.cluster, sleep=invocation.sleep)

    def observer(self, objects: Objects, invocation: Invocation, check: Check) -> Observer:
        return _Rollout(objects, invocation, check)

    def warnings(self, objects: Objects, invocation: Invocation) -> List[str]:
        said = rollout.warnings(invocation.cluster, _deployment(objects))
        return [*said, *_unreached(objects)]

    def hints(self, objects: Objects, options: Options) -> List[str]:
        secret = next(m for m in objects.accessories if m["kind"] == "Secret")
        by_http = [
            f"by HTTP:    POST http://{objects.name}.{objects.namespace}.svc:8080/"
            " with Authorization: Bearer TOKEN",
            f"its token:  {about(objects, options, 'token')}",
        ]
        image = _options(_deployment(objects)).get(IMAGE.name)
        code = (
            f"its code:   in {image}; after a change of playbooks/ build it again, with a new tag"
        )
        return [
            *answered(objects.triggers),
            *([code] if image else []),
            *(by_http if _TOKEN in secret["data"] else []),
            *managed(objects, options),
            f"dead:       {about(objects, options, 'dead')}",
            f"remove it:  {removal_of(objects, options)}",
        ]

    def unknown_without_cluster(self, request: Request, options: Options) -> List[str]:
        found = []
        if options.show_secrets and not _has_own_token(request):
            found.append("the bearer token is a new one each time this is printed")
        if request.values.get(HTTP_FROM.name) != ANY:
            found.append("the API server's addresses are read on deploying only")
        names = ", ".join(r.name for r in request.references if r.name not in _WITHOUT_PORT)
        if names:
            found.append(
                f"what is in {names} is read on deploying only: a port that stands there is missing"
                " in the NetworkPolicy"
            )
        return found


ENGINE = Kubernetes()


class _Rollout(Observer):
    """No controller of Kubeless interferes, and the workers become ready."""

    def __init__(self, objects: Objects, invocation: Invocation, check: Check) -> None:
        self._objects, self._check = objects, check
        self._cluster, self._sleep = invocation.cluster, invocation.sleep
        self._own = invocation.options.own
        self.keep_failed = bool(self._own.get(KEEP_FAILED.name))

    def found(self, function: Optional[Manifest]) -> None:
        kubeless.refuse_finalizer([function] if function else [])

    def created(self, function: Manifest) -> None:
        kubeless.refuse_new_finalizer(self._cluster, function, check=self._check, sleep=self._sleep)

    def stored(self) -> None:
        if not self._own.get(NO_WAIT.name):
            rollout.wait(
                self._cluster,
                _deployment(self._objects),
                progress=partial(print_step, "waiting"),
                check=self._check,
                sleep=self._sleep,
                seconds=self._own.get(TIMEOUT.name),
            )
        kubeless.refuse_finalizer(self._cluster.get([self._objects.function]))


def _archive(request: Request) -> bytes:
    return worker_archive(request.playbook.name, runs=request.playbook.runs(request.values))


def _options(deployment: Manifest) -> Dict[str, Any]:
    """With which a worker was deployed; of a Deployment of Kubeless' nothing."""
    spec, template = deployment["spec"], deployment["spec"]["template"]
    if not worker.is_worker(deployment):
        return {}
    name = deployment["metadata"]["name"]
    pod_spec = template["spec"]
    containers = {c["name"]: c["image"] for c in pod_spec["containers"]}
    mapped = [(v.get("configMap") or {}).get("name") for v in pod_spec.get("volumes") or ()]
    found = {
        REPLICAS.name: spec.get("replicas", 1),
        IMAGE.name: "" if worker.config_map_name(name) in mapped else containers[name],
        PATCH.name: pod_patch.deployed(template),
    }
    return {key: value for key, value in found.items() if value not in (1, "", {})}


def _deployment(objects: Objects) -> Manifest:
    return next(m for m in objects.accessories if m["kind"] == "Deployment")


_TOKEN = worker_settings.TOKEN.name

# Secrets that name no server, and so no port.
_WITHOUT_PORT = (_TOKEN, "NATS_USER", "NATS_PASSWORD", "NATS_TOKEN", CREDENTIALS)


def _with_token(request: Request, token: str) -> Request:
    """The same, with the token among its secrets, unless it is given or not wanted."""
    return request if _has_own_token(request) else _with_secret(request, _TOKEN, token)


def _has_own_token(request: Request) -> bool:
    """Whether none is to be generated: it is given, or not wanted."""
    return _TOKEN in request.names_given or request.values.get("HTTP") == "off"


def _secret(request: Request, namespace: str, existing: Existing) -> Manifest:
    whole = _with_secret(request, HASH_KEY, existing.hash_key)
    return secrets(_with_secret(whole, RELEASE_KEY, existing.release_key), namespace)[0]


def _with_secret(request: Request, name: str, text: str) -> Request:
    values = {**request.values, name: text}
    return replace(request, values=values, secrets=(*request.secrets, name))


def _unreached(objects: Objects) -> List[str]:
    """What the NetworkPolicy keeps out, because it was not known when it was made."""
    policy = next(m for m in objects.accessories if m["kind"] == "NetworkPolicy")
    if ingress_addresses(policy) or lets_all_in(policy):
        return []
    return [
        "the API server's addresses could not be read (EndpointSlice default/kubernetes): from"
        " another node, kubeless function call and top do not reach the function"
    ]
