"""``-E knative``: a Knative Service that answers CloudEvents, and Triggers that bring them."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from typing import Any, Dict, List, Mapping, Sequence, Tuple

from playbooks.core import catalogue
from playbooks.core.cluster.manifest import Manifest, reference
from playbooks.core.settings import DNS_NAME
from playbooks.core.subjects import Priority, slug
from playbooks.deployment.engines import pushed, tool
from playbooks.deployment.engines.applied import AppliedRights
from playbooks.deployment.engines.engine import IMAGE, Engine, Invocation, Option, print_objects
from playbooks.deployment.errors import DeploymentError, UsageError, meant
from playbooks.deployment.manifests import environment, rights, worker, worker_pod
from playbooks.deployment.manifests.worker import REVISION
from playbooks.deployment.packaging.archive import (
    LARGEST_WORKER_KIB,
    package_files,
    too_large,
    zipped,
)
from playbooks.deployment.packaging.dependencies import requirements
from playbooks.deployment.request.names import image_problems
from playbooks.deployment.request.options import Options
from playbooks.deployment.request.request import Request
from playbooks.deployment.request.topics import known_rules
from playbooks.deployment.terminal import print_messages, print_step
from playbooks.engines.knative import CONCURRENCY, TOKEN, TOKEN_ATTRIBUTE
from playbooks.engines.pushed import TIMEOUT, TOPICS
from playbooks.infrastructure import this_pod

# One instance is there at all times: an alert does not wait until packages are installed. The
# ledger holds for all of them.
LEAST, MOST = 1, 3

# Attempts of a broker, the first pause before one, and how it goes on.
DELIVERY: Mapping[str, Any] = {"retry": 5, "backoffPolicy": "exponential", "backoffDelay": "PT1S"}

SERVING = "serving.knative.dev/v1"

# The type that Falcosidekick's CloudEvents output gives its events.
TYPE = "falco.rule.output.v1"

# What the server needs.
SERVER = "h11"

# In the cluster only.
VISIBILITY = "networking.knative.dev/visibility"

# What runs in a container.
PROGRAM = ("engines/knative/__main__",)

_MODULE = "playbooks.engines.knative"
_KINDS = (
    f"triggers.eventing.knative.dev,services.serving.knative.dev,{rights.KINDS},secrets,"
    "serviceaccounts"
)

# Variables that Knative sets, or refuses, and ours.
_RESERVED = re.compile(r"PORT|K_SERVICE|K_REVISION|K_CONFIGURATION|HOME|PYTHON.*|PLAYBOOK")

DEFAULT_BROKER = "default"
BROKER = Option(
    "broker",
    ("--broker",),
    "with -E knative: the broker to which Falcosidekick sends events; default: default",
    "BROKER",
    default=DEFAULT_BROKER,
)

_INSTALL = f"{worker_pod.INSTALL}\nexec python3 -m {_MODULE}"


class Knative(Engine):
    name = "knative"
    summary = "a Knative Service with Triggers, by kubectl"
    settings = (TOKEN,)
    options = (IMAGE, BROKER)

    def seen_by(self, function: str, namespace: str) -> str:
        return f"kubectl get ksvc {function} -n {namespace}"

    def problems(self, request: Request, options: Options) -> List[str]:
        own = options.own
        found = image_problems(own.get(IMAGE.name))
        if not DNS_NAME.fullmatch(own.get(BROKER.name, "x")):
            found.append(f"--broker is {own[BROKER.name]!r}, expected the name of a Broker")
        found += [] if IMAGE.name in own else too_large(lambda: self._archive(request))
        return found + pushed.problems(request, _RESERVED, "Knative or deploy_playbook")

    def show(self, request: Request, invocation: Invocation) -> None:
        print_messages("warning", _warnings(request))
        made = self.objects(request, invocation)
        print_objects(made, show_secrets=invocation.options.show_secrets)

    def make_secrets(self, request: Request, invocation: Invocation) -> None:
        made = environment.secrets(request, invocation.namespace)
        if not made:
            raise UsageError(["no secret is given by -e"])
        ours = [rights.ours(each, request.function, invocation.namespace) for each in made]
        tool.apply(invocation.options, ours)

    def diff(self, request: Request, invocation: Invocation) -> int:
        made, pruned = self._applied(request, invocation), _pruned(request, invocation)
        differs = tool.differs(invocation.options, made, *pruned)
        return int(AppliedRights.look(self, request, invocation).differ() or differs)

    def deploy(self, request: Request, invocation: Invocation) -> int:
        print_messages("warning", _warnings(request))
        made, pruned = self._applied(request, invocation), _pruned(request, invocation)
        tool.KUBECTL.find()
        granted = AppliedRights.look(self, request, invocation)
        granted.confirm(reference(SERVING, "Service", request.function, invocation.namespace))
        tool.apply(invocation.options, made, *pruned)
        granted.remove_left()
        name, namespace = request.function, invocation.namespace
        print_step("deployed", self.named(request, invocation))
        broker = invocation.options.own.get(BROKER.name, DEFAULT_BROKER)
        print(
            "Falcosidekick: cloudevents.address"
            f" http://broker-ingress.knative-eventing.svc.cluster.local/{namespace}/{broker}\n"
            f"see it:        kubectl get ksvc,triggers -n {namespace} -l function={name}\n"
            f"remove it:     {self.removal(request, invocation.options, '-n', namespace)}"
        )
        return 0

    def remove(self, function: str, invocation: Invocation) -> None:
        # Nothing is released where nothing can be removed.
        tool.KUBECTL.find()
        there = self._deployed(function, invocation)
        if there is None and not self._names_playbook(invocation.options):
            alike = meant(invocation.options.deployed_name, catalogue.names())
            raise DeploymentError(f"there is no function {invocation.namespace}/{function}{alike}")
        self._settling(function, there, invocation)("nothing was removed")
        tool.delete(invocation.options, _KINDS, rights.selector(function, invocation.namespace))
        # Of one that is not there, parts may be; kubectl says which.
        if there is not None:
            print_step("removed", f"{invocation.namespace}/{function}")

    def objects(
        self, request: Request, invocation: Invocation, *, fresh: bool = False
    ) -> List[Manifest]:
        """What kubectl applies: Triggers last, when there is what they name. ``fresh``: a revision
        of its own, for secrets that are read when it starts."""
        namespace, own = invocation.namespace, invocation.options.own
        image = own.get(IMAGE.name, "")
        files = [] if image else [self._files(request, namespace)]
        beside = [*environment.secrets(request, namespace), *files]
        return [
            *self.rights(request, invocation),
            *(rights.ours(each, request.function, namespace) for each in beside),
            _service(request, namespace, image, _revision(files, fresh=fresh)),
            *_triggers(request, namespace, own.get(BROKER.name, DEFAULT_BROKER)),
        ]

    def _applied(self, request: Request, invocation: Invocation) -> List[Manifest]:
        return self.objects(request, invocation, fresh=bool(request.secrets))

    def _files(self, request: Request, namespace: str) -> Manifest:
        needs = requirements([SERVER, *request.playbook.installs(request.values)])
        archive = self._archive(request)
        return worker.config_map(request.function, namespace, archive, needs)

    def _archive(self, request: Request) -> bytes:
        name, runs = request.playbook.name, request.playbook.runs(request.values)
        files = package_files(name, PROGRAM, runs=runs)
        return zipped(files, f"the archive of {name}", "a ConfigMap", LARGEST_WORKER_KIB)


ENGINE = Knative()


def _pruned(request: Request, invocation: Invocation) -> List[str]:
    """Triggers of topics that are not given any more go."""
    which = rights.selector(request.function, invocation.namespace)
    return ["--prune", "--prune-allowlist", "eventing.knative.dev/v1/Trigger", "-l", which]


def _warnings(request: Request) -> List[str]:
    sent = f"cloudevents.extensions {TOKEN_ATTRIBUTE}:TOKEN in Falcosidekick"
    return pushed.open_to(request, TOKEN, "the broker or the Service", sent)


def _metadata(request: Request, namespace: str, name: str = "") -> Dict[str, Any]:
    labels = rights.labels(request.function, namespace)
    return {"name": name or request.function, "namespace": namespace, "labels": labels}


def _revision(files: Sequence[Manifest], *, fresh: bool) -> str:
    """Another value is another revision. Secrets are in no hash: with one they could be guessed."""
    if fresh:
        return secrets.token_hex(8)
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()[:16]


def _service(request: Request, namespace: str, image: str, revision: str) -> Manifest:
    """Reachable in the cluster only."""
    metadata = _metadata(request, namespace)
    metadata["labels"] = {**metadata["labels"], VISIBILITY: "cluster-local"}
    annotations = {
        REVISION: revision,
        "autoscaling.knative.dev/min-scale": str(LEAST),
        "autoscaling.knative.dev/max-scale": str(MOST),
    }
    code = worker_pod.Code(image, worker.config_map_name(request.function))
    return {
        "apiVersion": SERVING,
        "kind": "Service",
        "metadata": metadata,
        "spec": {
            "template": {
                "metadata": {
                    "annotations": annotations,
                    "labels": rights.labels(request.function, namespace),
                },
                "spec": {
                    "containerConcurrency": CONCURRENCY,
                    "timeoutSeconds": TIMEOUT,
                    "serviceAccountName": request.function,
                    "containers": [_container(request, namespace, code)],
                    "volumes": [
                        worker_pod.TMP_VOLUME,
                        *environment.volumes(request),
                        *code.volumes,
                    ],
                },
            }
        },
    }


def _container(request: Request, namespace: str, code: worker_pod.Code) -> Manifest:
    """Without an image it installs the code itself: Knative takes init containers behind a feature
    flag only."""
    image = code.image
    program = ["python3", "-m", _MODULE] if image else ["sh", "-c", _INSTALL]
    installing = () if image else worker_pod.INSTALLING
    return {
        "image": image or worker_pod.STOCK_IMAGE,
        "command": program,
        "env": _variables(request, namespace, code),
        # Of a path of its own: any other reaches the playbook. Knative knows the port.
        "readinessProbe": {"httpGet": {"path": "/readyz"}, "timeoutSeconds": 3},
        "resources": worker_pod.resources("512Mi"),
        "securityContext": {
            **worker_pod.CONFINED,
            "runAsNonRoot": True,
            "runAsUser": worker_pod.USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": [worker_pod.TMP, *environment.mounts(request), *installing],
    }


def _variables(request: Request, namespace: str, code: worker_pod.Code) -> List[Manifest]:
    """Without fields of the pod, which Knative takes behind a feature flag only."""
    own = {
        "PLAYBOOK": request.playbook.name,
        TOPICS.name: ",".join(request.topics),
        this_pod.NAMESPACE_VARIABLE: namespace,
        **worker_pod.VARIABLES,
        **code.environment,
    }
    return environment.variables(request, own, fields={})


def _triggers(request: Request, namespace: str, broker: str) -> List[Manifest]:
    subscriber = {
        "apiVersion": SERVING,
        "kind": "Service",
        "name": request.function,
    }
    return [
        {
            "apiVersion": "eventing.knative.dev/v1",
            "kind": "Trigger",
            "metadata": _metadata(request, namespace, f"{request.function}-{number}"),
            "spec": {
                "broker": broker,
                "filter": {"attributes": {"type": TYPE, **attributes}},
                "subscriber": {"ref": subscriber},
                "delivery": dict(DELIVERY),
            },
        }
        for number, attributes in enumerate(filters(request.topics))
    ]


def filters(topics: Tuple[str, ...]) -> List[Mapping[str, str]]:
    """The attributes of the events that the topics can reach, each once. What they let pass beside
    it the function leaves out by TOPICS.

    A trigger compares whole texts: of a rule that Falco ships the name, of any other none.
    """
    found: List[Mapping[str, str]] = []
    for topic in topics:
        _, priority, rule = [*topic.split("."), ">", ">"][:3]
        attributes = {}
        if priority not in ("*", ">"):
            attributes["priority"] = str(Priority.of(priority))
        names = [known.name for known in known_rules() if slug(known.name) == rule]
        if len(names) == 1 and priority != ">":
            attributes["rule"] = names[0]
        if attributes not in found:
            found.append(attributes)
    # Fewer attributes let more events pass.
    return [each for each in found if not any(o.items() < each.items() for o in found)]
