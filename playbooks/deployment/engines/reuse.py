"""``--reuse-settings``: what is deployed already stands in for what is not given."""

from __future__ import annotations

from dataclasses import replace
from typing import List, Optional, Sequence

from playbooks.core.cluster.manifest import KUBELESS_API, Manifest, identity, reference
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.deployment.apply import preflight
from playbooks.deployment.engines import registry
from playbooks.deployment.engines.cluster_engine import ClusterEngine
from playbooks.deployment.engines.engine import Engine, Invocation
from playbooks.deployment.errors import DeploymentError, UsageError
from playbooks.deployment.manifests import record
from playbooks.deployment.manifests.secret import text_of
from playbooks.deployment.request import by_name
from playbooks.deployment.request.assignments import Given, Reference, Value
from playbooks.deployment.request.options import DEFAULT_RUNTIME, Options


def reused(invocation: Invocation, engine: Engine) -> Options:
    """The options with the deployed playbook, topics, settings, runtime, image, replicas and patch
    where none is given. Raises DeploymentError where nothing is deployed under this name."""
    options, cluster, namespace = invocation.options, invocation.cluster, invocation.namespace
    if not isinstance(engine, ClusterEngine):
        raise UsageError([f"-E {engine.name} has no settings that --reuse-settings could keep"])
    if not options.deployed_name:
        raise UsageError(["whose settings? -p PLAYBOOK, or -N NAME as it was deployed"])
    preflight.check_cluster(cluster)
    function = options.function
    place = (function, namespace)
    wanted = [
        reference(KUBELESS_API, "Function", *place),
        reference("apps/v1", "Deployment", *place),
    ]
    found = {identity(manifest): manifest for manifest in cluster.get(wanted)}
    deployed = found.get(identity(wanted[0]))
    if deployed is None:
        raise DeploymentError(
            f"there is no Function {namespace}/{function} whose settings could be kept"
        )
    playbook = record.playbook_of(deployed)
    if options.playbook not in (None, playbook):
        raise UsageError([f"-p is {options.playbook}, and {namespace}/{function} is of {playbook}"])
    settings = by_name.load(playbook).settings + engine.settings
    given = {each.name for each in options.kept}
    deployed_settings = [
        each for each in record.given(deployed, settings) if each.name not in given
    ]
    return replace(
        options,
        playbook=playbook,
        topics=options.topics or tuple(topics(cluster, function, namespace)),
        runtime=options.runtime or runtime(deployed, registry.made(found)),
        own={**engine.deployed_options(found), **options.own},
        kept=(*options.kept, *with_texts(cluster, *place, deployed_settings)),
    )


def runtime(deployed: Manifest, engine: Engine) -> Optional[str]:
    """None where it means nothing, or is the default."""
    found = deployed["spec"].get("runtime")
    return found if engine.runtimes and found != DEFAULT_RUNTIME else None


def with_own_secret(invocation: Invocation) -> Options:
    """The options, where they refer to keys of the Secret that an earlier deployment made, with
    their texts. Raises DeploymentError."""
    options = invocation.options
    function = options.function
    if not any(isinstance(each, Reference) and each.secret == function for each in options.kept):
        return options
    found = with_texts(invocation.cluster, function, invocation.namespace, options.kept)
    return replace(options, kept=tuple(found))


def topics(cluster: ClusterObjects, function: str, namespace: str) -> List[str]:
    """In the order of the triggers' numbers."""
    found = record.triggers_of(cluster, function, namespace)
    found.sort(key=lambda trigger: int(trigger["metadata"]["name"].rpartition("-")[2]))
    return [str(trigger["spec"]["topic"]) for trigger in found]


def with_texts(
    cluster: ClusterObjects, function: str, namespace: str, given: Sequence[Given]
) -> List[Given]:
    """The texts of secrets that -e gave, which are in the function's own Secret."""
    own = [each for each in given if isinstance(each, Reference) and each.secret == function]
    secret = (cluster.find("v1", "Secret", function, namespace) if own else None) or {}
    lost = [each.name for each in own if each.key not in (secret.get("data") or {})]
    if lost:
        raise DeploymentError(
            f"Secret {namespace}/{function} has no {', '.join(lost)} any more: give it again"
        )
    known = {each.name: Value(each.name, text_of(secret, each.key)) for each in own}
    return [known.get(each.name, each) for each in given]
