"""The cluster of the current kubeconfig, for specs: any will do, and it is left as it was found.

Everything made here is named ``falco-spec-<random>`` and goes when the spec's process ends, if its
spec did not delete it before. What a spec sees, it sees through kubectl: not through the client
that it is about.
"""

from __future__ import annotations

import atexit
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence

from playbooks.core import catalogue
from playbooks.core.cluster.node import Node
from playbooks.core.cluster.pod import Pod
from playbooks.core.instant import NANOSECONDS, Instant
from playbooks.core.outcome import Outcome
from playbooks.core.playbook import Playbook
from playbooks.core.ports import Cluster, ClusterCollaborators, LedgerStore
from playbooks.core.responder import Responder
from playbooks.core.settings import read
from playbooks.deployment.manifests.crds import definitions
from playbooks.infrastructure.kubernetes.api import KubernetesApi
from playbooks.infrastructure.kubernetes.connect import as_kubectl
from playbooks.infrastructure.ledger import StoredLedger
from playbooks.testing import InMemoryLedger, a_document
from specs.support.processes import eventually

Manifest = Dict[str, Any]

IMAGE = os.environ.get("SPEC_IMAGE", "local/busybox:1")

# What is still to be undone, by name.
_leftovers: Dict[str, Callable[[], None]] = {}
_namespaces: List[str] = []


def a_name() -> str:
    return f"falco-spec-{secrets.token_hex(4)}"


def at_once(*calls: Callable[[], Any]) -> List[Any]:
    """What each of the calls returns. They run at the same time."""
    with ThreadPoolExecutor(len(calls)) as pool:
        futures = [pool.submit(call) for call in calls]
        return [future.result() for future in futures]


def kubectl(*words: str, stdin: Optional[str] = None, seconds: float = 60.0) -> str:
    """What it prints. Raises AssertionError with what it complains about."""
    done = subprocess.run(
        ["kubectl", *words],
        input=stdin or "",
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    if done.returncode:
        raise AssertionError(f"kubectl {' '.join(words)}: {done.stdout}{done.stderr}".strip())
    return done.stdout


def kubectl_json(*words: str, stdin: Optional[str] = None) -> Any:
    """The object, or None where ``get --ignore-not-found`` finds none."""
    text = kubectl(*words, "-o", "json", stdin=stdin)
    return json.loads(text) if text else None


def stored(kind: str, name: str, namespace: str = "") -> Any:
    """The object as the API has it, or None."""
    place = ("-n", namespace) if namespace else ()
    return kubectl_json("get", kind, name, *place, "--ignore-not-found")


def create(*manifests: Mapping[str, Any]) -> List[Manifest]:
    """Store objects and return them as they were stored."""
    wanted = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
    text = kubectl("create", "-f", "-", "-o", "json", stdin=json.dumps(wanted)).strip()
    # One document after the other, and no list.
    found, decoder = [], json.JSONDecoder()
    while text:
        document, end = decoder.raw_decode(text)
        found.append(document)
        text = text[end:].lstrip()
    _rights_in_force(found)
    return found


def _rights_in_force(made: Sequence[Manifest]) -> None:
    """Waits until the API server knows what bindings among ``made`` give: it learns by watching."""
    roles = {
        (role["kind"], role["metadata"]["name"], role["metadata"].get("namespace")): role
        for role in made
        if "rules" in role
    }
    for binding in made:
        of = binding.get("roleRef", {})
        # A ClusterRole is in no namespace; Roles of one name may be in several.
        place = binding["metadata"].get("namespace") if of.get("kind") == "Role" else None
        role = roles.get((of.get("kind"), of.get("name"), place))
        if role is None:
            continue
        where = binding["metadata"].get("namespace", "default")
        for subject in binding["subjects"]:
            named = subject["name"]
            if subject["kind"] == "ServiceAccount":
                named = f"system:serviceaccount:{subject['namespace']}:{named}"
            eventually(partial(_has, named, where, role["rules"]))


def _has(user: str, namespace: str, rules: Sequence[Manifest]) -> bool:
    path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    as_user = (f"--as={user}", "--as-group=system:serviceaccounts")
    text = kubectl("create", "--raw", path, "-f", "-", *as_user, stdin=json.dumps(review))
    known = [_compared(rule) for rule in json.loads(text)["status"]["resourceRules"]]
    return all(_compared(rule) in known for rule in rules if "resources" in rule)


def _compared(rule: Manifest) -> List[List[str]]:
    keys = ("verbs", "apiGroups", "resources", "resourceNames")
    return [sorted(rule.get(key, ())) for key in keys]


# Namespaces and nodes


def a_namespace() -> str:
    """A new one, in which pods can be made."""
    name = a_name()
    kubectl("create", "namespace", name)
    _namespaces.append(name)
    _leftovers[name] = lambda: delete_namespace(name)
    eventually(lambda: stored("serviceaccount", "default", name) is not None)
    return name


def delete_namespace(name: str) -> None:
    """Does not wait: that it is gone is looked at when the process ends."""
    _leftovers.pop(name, None)
    kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")
    now = ("--wait=false", "--ignore-not-found", "-n", name)
    pods = kubectl_json("get", "pods", "-n", name)["items"]
    # No kubelet ends what is bound to a node of ours, nor takes long graces for granted.
    orphans = [p for p in pods if p["spec"].get("nodeName", "").startswith("falco-spec-")]
    if orphans:
        names = [pod["metadata"]["name"] for pod in orphans]
        kubectl("delete", "pods", *names, "--grace-period=0", "--force", *now)
    if len(orphans) < len(pods):
        kubectl("delete", "pods", "--all", "--grace-period=1", *now)


def a_fake_node(name: Optional[str] = None) -> str:
    """A Node object that no machine stands behind, and on which nothing is scheduled."""
    name = name or a_name()
    cleaned_up(name, "node")
    create(
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name},
            "spec": {"unschedulable": True},
        }
    )
    return name


def any_control_plane() -> bool:
    """Whether pods may run on a node of the control plane."""
    nodes = [Node(item) for item in kubectl_json("get", "nodes")["items"]]
    return any(node.control_plane and node.takes_pods_of(Node({})) for node in nodes)


def settled(node: str) -> Manifest:
    """The node, once the control plane has put its own taints on it."""
    seen = []

    def unchanged() -> Manifest:
        found = stored("node", node)
        seen.append(found["metadata"]["resourceVersion"])
        tainted = any(t["key"].endswith("/unschedulable") for t in found["spec"]["taints"])
        assert tainted and seen[-3:] == seen[-1:] * 3, f"{node} is still being written"
        return dict(found)

    return dict(eventually(unchanged, 20))


def kubeless_definitions() -> None:
    """Those of Function and NATSTrigger; where they were missing, only for as long as we run."""
    for definition in definitions():
        name = definition["metadata"]["name"]
        if stored("crd", name) is None:
            cleaned_up(name, "crd")
            create(definition)
        kubectl("wait", "--for=condition=Established", "--timeout=30s", f"crd/{name}")


def cleaned_up(name: str, kind: str) -> None:
    """Have an object that belongs to no namespace deleted at the latest when the process ends."""
    _leftovers[f"{kind}/{name}"] = lambda: delete(kind, name)


def delete(kind: str, name: str) -> None:
    _leftovers.pop(f"{kind}/{name}", None)
    kubectl("delete", kind, name, "--wait=false", "--ignore-not-found")


def untainted(node: str, key: str) -> None:
    """Take every taint of a key off a node, whether there is one or not."""
    _leftovers.pop(f"taint/{node}/{key}", None)
    found = stored("node", node)
    if found and any(t["key"] == key for t in found["spec"].get("taints") or ()):
        kubectl("taint", "node", node, f"{key}-")


def untainted_at_the_end(node: str, key: str) -> None:
    _leftovers[f"taint/{node}/{key}"] = lambda: untainted(node, key)


def node_address() -> str:
    """An address of the node at which pods reach a server on it."""
    nodes = kubectl_json("get", "nodes")["items"]
    # Those that no machine stands behind have none.
    addresses = [a for node in nodes for a in node["status"].get("addresses") or ()]
    return str(next(a["address"] for a in addresses if a["type"] == "InternalIP"))


# Pods


def a_pod_manifest(
    name: str,
    namespace: str,
    *,
    command: Sequence[str] = ("sleep", "3600"),
    labels: Optional[Mapping[str, str]] = None,
    grace: int = 1,
    gated: bool = False,
    container: Optional[Mapping[str, Any]] = None,
    **spec: Any,
) -> Manifest:
    """``gated``: it is never scheduled, so that the API alone has it."""
    gates = {"schedulingGates": [{"name": "falco-spec/never"}]} if gated else {}
    only = {
        "name": "main",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": list(command),
        **(container or {}),
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": dict(labels or {})},
        "spec": {
            "terminationGracePeriodSeconds": grace,
            "containers": [only],
            **gates,
            **spec,
        },
    }


def a_gated_pod(name: str, namespace: str, **more: Any) -> Manifest:
    """One that is stored and never scheduled. ``more``: as ``a_pod_manifest`` takes it."""
    (made,) = create(a_pod_manifest(name, namespace, gated=True, **more))
    return made


def a_controller(
    kind: str, name: str, namespace: str, *, replicas: int = 1, **pod: Any
) -> Manifest:
    """A Deployment, StatefulSet or the like of pods with the label app=<name>."""
    template = a_pod_manifest("", namespace, labels={"app": name}, **pod)
    labels = {"app": name}
    core = kind == "ReplicationController"
    return {
        "apiVersion": "v1" if core else "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "selector": labels if core else {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": template["spec"]},
            **({"serviceName": name} if kind == "StatefulSet" else {}),
        },
    }


def start_deployment(
    namespace: str, name: str = "web", *, replicas: int = 1, **pod: Any
) -> List[Manifest]:
    """Make a Deployment and return its pods, running."""
    create(a_controller("Deployment", name, namespace, replicas=replicas, **pod))
    return running_pods(namespace, app=name, count=replicas)


def running_pods(
    namespace: str, *, app: str = "", count: int = 1, seconds: float = 60.0
) -> List[Manifest]:
    """At least ``count`` pods that are ready and not being deleted, as soon as there are."""

    def ready() -> List[Manifest]:
        selected = ("-l", f"app={app}") if app else ()
        pods = kubectl_json("get", "pods", "-n", namespace, *selected)["items"]
        found = [pod for pod in pods if is_ready(pod)]
        assert len(found) >= count, f"{len(found)} pods of {app or namespace} are ready"
        return found

    return list(eventually(ready, seconds))


def running_pod(name: str, namespace: str, seconds: float = 60.0) -> Manifest:
    """The pod of that name, once it is ready."""

    def ready() -> Manifest:
        pod = stored("pod", name, namespace)
        assert pod and is_ready(pod), f"pod {name} is not ready"
        return dict(pod)

    return dict(eventually(ready, seconds))


def is_ready(pod: Mapping[str, Any]) -> bool:
    conditions = {c["type"]: c["status"] for c in pod["status"].get("conditions") or ()}
    return conditions.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]


def gone(pod: Mapping[str, Any], seconds: float = 30.0) -> bool:
    """Wait until the API has no pod of this uid any more."""
    metadata = pod["metadata"]

    def no_longer_there() -> bool:
        found = stored("pod", metadata["name"], metadata["namespace"])
        return found is None or found["metadata"]["uid"] != metadata["uid"]

    return bool(eventually(no_longer_there, seconds))


def shell(pod: Mapping[str, Any], script: str, seconds: float = 20.0) -> str:
    """What a script prints that runs in the pod. Nothing may be left running in it."""
    place = ("-n", pod["metadata"]["namespace"], pod["metadata"]["name"])
    return kubectl("exec", *place, "--", "sh", "-c", script, seconds=seconds)


def container_id(pod: Mapping[str, Any], name: str = "") -> str:
    """The 12 characters that Falco gives."""
    found = next(c for c in Pod(pod).containers if c.ids and name in ("", c.name))
    return found.ids[0][:12]


# Alerts and playbooks


def claimed(pod: Mapping[str, Any]) -> Dict[str, str]:
    """Output fields that name the pod, with its container's id where it has one, else its uid."""
    metadata = pod["metadata"]
    names = {"k8s.ns.name": metadata["namespace"], "k8s.pod.name": metadata["name"]}
    if any(container.ids for container in Pod(pod).containers):
        return {**names, "container.id": container_id(pod)}
    return {**names, "k8s.pod.uid": metadata["uid"]}


def alert_about(
    pod: Mapping[str, Any], *, seconds_ago: float = 60.0, fields: Any = None, **changes: Any
) -> Manifest:
    """The JSON object of an alert that names the pod. ``fields`` replace or, where None, remove
    single output fields."""
    about = {**claimed(pod), **(fields or {})}
    return a_document(
        **{
            "time": str(Instant(time.time_ns() - int(seconds_ago * NANOSECONDS))),
            "hostname": pod["spec"].get("nodeName", ""),
            "output_fields": {key: value for key, value in about.items() if value is not None},
            **changes,
        }
    )


def responder(
    playbook: str,
    cluster: Optional[Cluster] = None,
    ledger: Optional[LedgerStore] = None,
    **settings: str,
) -> Responder:
    """The playbook as its entrypoint wires it, on the real cluster or on ``cluster``.

    With a ``ledger`` of its own, lest specs use up each other's budgets: that of the setting
    ``LEDGER``, or a new one in memory.
    """
    declared: Playbook = catalogue.load(playbook)
    collaborators = declared.collaborators(playbook, read(declared.settings, settings))
    if isinstance(collaborators, ClusterCollaborators):
        stored = collaborators.ledger
        if ledger or "LEDGER" not in settings:
            stored = StoredLedger(ledger or InMemoryLedger())
        collaborators = replace(
            collaborators, cluster=cluster or collaborators.cluster, ledger=stored
        )
    return declared.responder(settings, collaborators)


def answer(
    playbook: str,
    alert: Any,
    cluster: Optional[Cluster] = None,
    ledger: Optional[LedgerStore] = None,
    **settings: str,
) -> Outcome:
    """What the playbook answers, at its first attempt."""
    return responder(playbook, cluster, ledger, **settings).answer(alert)


def token_of(account: str, namespace: str) -> str:
    return kubectl("create", "token", account, "-n", namespace).strip()


def api_of(token: str) -> KubernetesApi:
    """The API server of the kubeconfig as somebody else sees it, who has this token only."""

    with tempfile.NamedTemporaryFile() as file:
        target = as_kubectl({**os.environ, "KUBECONFIG": kubeconfig_of(token, file.name)})
    return KubernetesApi(connect=target.connect)


def kubeconfig_of(token: str, path: str, namespace: str = "") -> str:
    """Write the kubeconfig of who has this token only: its path."""
    found = json.loads(
        kubectl("config", "view", "--minify", "--raw", "--flatten", "--output", "json")
    )
    found["users"][0]["user"] = {"token": token}
    found["contexts"][0]["context"]["namespace"] = namespace
    Path(path).write_text(json.dumps(found), encoding="utf-8")
    return path


class CountingApi(KubernetesApi):
    """The same cluster for who counts the calls.

    ``calls``: the method of each, of this thread: watches have threads of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: List[str] = []
        self._counted = threading.current_thread()

    def _request(self, method: str, *given: Any, **named: Any) -> Any:
        if threading.current_thread() is self._counted:
            self.calls.append(method)
        return super()._request(method, *given, **named)


# CI ends what takes too long with SIGTERM, which would not get as far as cleaning up.
if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


@atexit.register
def _clean_up() -> None:
    for undo in list(_leftovers.values()):
        try:
            undo()
        except Exception as error:
            print(f"specs: not cleaned up: {error}", file=sys.stderr)
    try:
        eventually(lambda: not any(stored("namespace", name) for name in _namespaces), 60)
    except AssertionError:
        print(f"specs: some of {', '.join(_namespaces)} are still there", file=sys.stderr)
