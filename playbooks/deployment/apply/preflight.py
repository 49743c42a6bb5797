"""What a cluster must have before anything is sent to it."""

from __future__ import annotations

from typing import Dict, List, Set

from playbooks.core.cluster.manifest import KUBELESS_API, Manifest, label, reference
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.errors import InvalidSetting, NoCluster, NotFound, PlaybookError
from playbooks.deployment.errors import DeploymentError
from playbooks.deployment.manifests.crds import RESOURCES
from playbooks.deployment.manifests.network_policy import NAME_LABEL
from playbooks.deployment.manifests.secret import text_of
from playbooks.deployment.request.assignments import Reference
from playbooks.deployment.request.request import Request

_NOT_SERVED = f"""\
this cluster does not serve {KUBELESS_API} ({{missing}}).
deploy_playbook -S sets it up for -E kubernetes, which needs nothing else of Kubeless.
Up to Kubernetes 1.21, Kubeless itself can be installed:
https://github.com/vmware-archive/kubeless/releases
and its NATS trigger: https://github.com/kubeless/nats-trigger/releases
Without any of it, deploy_playbook -E local runs a playbook on this machine."""


def check_answers(cluster: ClusterObjects) -> None:
    """There is a cluster, and it answers."""
    try:
        cluster.raw("/version")
    except NoCluster:
        raise
    except PlaybookError as error:
        raise DeploymentError(
            f"the cluster does not answer: {error}\n"
            f"it is {cluster}; KUBECONFIG, --context or 'kubectl config use-context' choose another"
        ) from error


def check_cluster(cluster: ClusterObjects) -> None:
    """It also knows Functions and NATSTriggers."""
    check_answers(cluster)
    missing = sorted(set(RESOURCES) - served(cluster, KUBELESS_API))
    if missing:
        raise DeploymentError(_NOT_SERVED.format(missing=", ".join(missing)))


def served(cluster: ClusterObjects, api: str) -> Set[str]:
    """The resources of an API, such as kubeless.io/v1beta1; none where it is not served."""
    try:
        resources = cluster.raw(f"/apis/{api}")["resources"]
    except NotFound:
        return set()
    return {str(resource["name"]) for resource in resources}


def groups(cluster: ClusterObjects) -> Dict[str, Set[str]]:
    """The APIs that are served, such as cilium.io/v2, by the name of their group."""
    found = cluster.raw("/apis").get("groups") or ()
    return {each["name"]: {v["groupVersion"] for v in each["versions"]} for each in found}


def check_references(cluster: ClusterObjects, request: Request, namespace: str) -> Dict[str, str]:
    """Every ``-s`` names a key that is there, with a value that its setting takes.

    The answer has the values by setting.
    """
    wanted = {r.secret: reference("v1", "Secret", r.secret, namespace) for r in request.references}
    stored = {found["metadata"]["name"]: found for found in cluster.get(list(wanted.values()))}
    problems = []
    for given in request.references:
        if given.secret not in stored:
            problems.append(f"-s {given.name}: there is no Secret {namespace}/{given.secret}")
        else:
            problems += _value_problems(request, given, stored[given.secret])
    if problems:
        raise DeploymentError("\n".join(problems))
    return {given.name: text_of(stored[given.secret], given.key) for given in request.references}


def _value_problems(request: Request, given: Reference, secret: Manifest) -> List[str]:
    data = secret.get("data") or {}
    if given.key not in data:
        keys = ", ".join(sorted(data)) or "none"
        return [f"-s {given.name}: Secret {given.secret} has no key {given.key!r}, only {keys}"]
    setting = request.setting(given.name)
    try:
        text = text_of(secret, given.key)
        if setting:
            setting.check(text)
    except ValueError:
        return [f"-s {given.name}: {given.secret}/{given.key} is not UTF-8 text"]
    except InvalidSetting as error:
        return [f"-s {given.name}: {error}"]
    return []


def warnings(cluster: ClusterObjects, caller: str) -> List[str]:
    """What would keep Kubeless from calling the function, as far as one may look."""
    try:
        found = cluster.find("v1", "Namespace", caller)
    except PlaybookError:
        return []
    if not found:
        return [
            f"there is no namespace {caller}: only pods of Kubeless' namespace may call the"
            " function, and KUBELESS_NAMESPACE names another"
        ]
    if label(found, NAME_LABEL) != caller:
        return [
            f"namespace {caller} has no label {NAME_LABEL}, as before Kubernetes 1.21, so that its"
            " pods may not call the function:"
            f" kubectl label namespace {caller} {NAME_LABEL}={caller}"
        ]
    return []
