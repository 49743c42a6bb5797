"""A cluster in memory with one playbook deployed, whose worker answers what it is told to."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from functools import lru_cache

from playbooks.commands import __main__ as program
from playbooks.commands.options import Session
from playbooks.commands.token import ROTATED
from playbooks.core.cluster.manifest import labels, reference
from playbooks.core.cluster.objects import Executed
from playbooks.core.errors import NotPermitted
from playbooks.core.ports import LedgerStore
from playbooks.deployment.manifests import admission_policies
from playbooks.deployment.manifests.worker import REVISION
from playbooks.deployment.removal.client import Client
from playbooks.deployment.request import by_name
from playbooks.engines.worker.operator.protocol import VERSION
from playbooks.infrastructure.kubernetes.ledger import KEY
from playbooks.testing import FixedClock, InMemoryCluster, a_document
from specs.deployment.fake_objects import FakeObjects
from specs.deployment.mothers import BOUND, a_worker_request, worker_objects
from specs.support.programs import run_here

NAME = "falco-delete"

POLICY = "falco-playbook-isolate-pods"


class FakeCluster(FakeObjects):
    """``executed``: pods and commands in turn. ``says``: what a command of the desk answers, or the
    error that running it raises.

    ``stale``: the pods whose kubelet is slow; it renews their files when they are annotated, or
    never where ``stuck``. ``annotated``: pods. ``may_not``: what accounts may not do, as "list
    pods" or "list pods in shop". ``tried``: requests as somebody else in turn: user, operation,
    object and body. ``lax``, ``too_strict``: the names of policies that refuse nothing, or all.
    ``refusal``: the words of all refusals, else those of the policy. ``enforces``: what a
    NetworkPolicy cuts off in the probe pods.
    """

    def __init__(self, *objects, **options):
        super().__init__(*objects, **options)
        self.executed = []
        self.says = answer()
        self.stale = {}
        self.stuck = False
        self.annotated = []
        self.may_not = ()
        self.refusal = ""
        self.lax, self.too_strict = (), ()
        self.patched, self.tried = [], []
        self.enforces = ("new", "open")
        self.probed = []

    def execute(self, namespace, pod, container, command, **how):
        self.executed.append((pod, *command))
        if command[-1].startswith("/tmp/heard"):
            return Executed(0, f"{json.dumps(self._heard())}\n", "")
        if "-c" in command:
            return Executed(0, f"{self._digest(pod)}\n", "")
        if isinstance(self.says, Exception):
            raise self.says
        return self.says

    def patch(self, manifest, change):
        annotations = change["metadata"].get("annotations") or {}
        if ROTATED in annotations:
            self._hurry(manifest["metadata"]["name"])
            return
        self.patched.append(change)
        if "patch" in self.failures:
            raise self.failures["patch"]

    def try_as(self, user, operation, manifest, body, *, subresource=""):
        self.tried.append((user, operation, manifest["metadata"]["name"], body))
        for policy in self._policies_of(user, operation, manifest, body):
            refused = policy.allowed(manifest, self._texts(user)) != body or policy.name in (
                self.too_strict
            )
            if refused and policy.name not in self.lax:
                raise NotPermitted(self.refusal or f"'{policy.name}' with binding denied request")

    def _policies_of(self, user, operation, manifest, body):
        playbook = user.rpartition(":")[2].split("-")[1]
        kind = (body if operation == "CREATE" else manifest)["kind"].lower()
        for policy in admission_policies.of(by_name.load(playbook)):
            about = policy.changes.resource
            if policy.changes.operations[0] == operation and about in (
                kind + "s",
                kind[:-1] + "ies",
            ):
                yield policy

    def _texts(self, user):
        name = admission_policies.parameters_name(user.rpartition(":")[2])
        found = [m for (kind, _, n), m in self.objects.items() if (kind, n) == ("ConfigMap", name)]
        return {**(found[0]["data"] if found else {}), "account": user}

    def _hurry(self, pod):
        self.annotated.append(pod)
        if "annotate" in self.failures:
            raise self.failures["annotate"]
        if not self.stuck:
            self.stale.pop(pod, None)

    def _create(self, manifest, dry_run):
        if manifest["kind"] == "SubjectAccessReview":
            return self._reviewed(manifest)
        namespace = manifest["metadata"].get("namespace", "")
        if namespace.startswith("falco-check-"):
            self.probed.append(manifest)
            if manifest["kind"] == "ReplicaSet":
                super()._create(a_probe("replica-x7", namespace, "replica"), dry_run)
            if manifest["kind"] == "Pod":
                manifest = a_probe("bare", namespace, "bare")
        return super()._create(manifest, dry_run)

    def _reviewed(self, review):
        asked = review["spec"]["resourceAttributes"]
        what = f"{asked['verb']} {asked['resource']}"
        allowed = not {what, f"{what} in {asked['namespace']}"} & set(self.may_not)
        return {**review, "status": {"allowed": allowed}}

    def _heard(self):
        """As if a policy were in force at once."""
        cut = (
            self.enforces
            if any(
                k == "NetworkPolicy" and n.startswith("falco-isolate-") for k, _, n in self.objects
            )
            else ()
        )
        return {kind: kind not in cut for kind in ("new", "open")}

    def _digest(self, pod):
        text = self.stale.get(pod) or token_of(self)
        return hashlib.sha256(text.encode()).hexdigest()


class StoredLedger(LedgerStore):
    """In a ConfigMap of the cluster in memory; reading makes it where it is missing."""

    def __init__(self, cluster, namespace, name):
        self._cluster = cluster
        self._reference = reference("v1", "ConfigMap", name, namespace)

    def read(self):
        if not self._cluster.get([self._reference]):
            self._cluster.create([self._reference])
        (found,) = self._cluster.get([self._reference])
        return (found.get("data") or {}).get(KEY, ""), found["metadata"]["resourceVersion"]

    def write(self, text, *, version):
        (found,) = self._cluster.get([self._reference])
        metadata = {**found["metadata"], "resourceVersion": version}
        (written,) = self._cluster.replace([{**found, "metadata": metadata, "data": {KEY: text}}])
        return written["metadata"]["resourceVersion"]


def a_probe(name, namespace, kind):
    pod = a_pod(name, namespace, function="probe", labels={"falco/probe": kind})
    return {**pod, "status": {**pod["status"], "podIP": "198.18.0.9"}, "spec": {"containers": []}}


def answer(*lines, code=0, err="", end=True):
    """What the program in the pod prints."""
    said = [{"protocol": VERSION}, *lines, *([{"end": len(lines)}] if end else [])]
    return Executed(code, "".join(f"{json.dumps(line)}\n" for line in said), err)


def a_cluster(
    *typed,
    playbook="delete",
    pods=("falco-delete-1",),
    namespace="default",
    kind=FakeCluster,
    also=(),
    **options,
):
    made = _deployed(playbook, namespace, *typed)
    function = made.function["metadata"]["name"]
    running = [a_pod(name, namespace, function=function) for name in pods]
    return kind(*made.in_order, *running, *also, namespace=namespace, **options)


@lru_cache(maxsize=None)
def _deployed(playbook, namespace, *typed):
    """Each FakeObjects makes a copy of what it stores."""
    request = a_worker_request(playbook, *typed)
    return worker_objects(request, namespace=namespace, image="image:1", existing=BOUND)


def a_pod(name, namespace="default", *, function=NAME, ready=True, state="running", **metadata):
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": labels(function),
            "annotations": {REVISION: "1"},
            **metadata,
        },
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [
                {"name": function, "ready": ready, "restartCount": 0, "state": {state: {}}}
            ],
        },
    }


def token_of(cluster, secret=NAME):
    return base64.b64decode(cluster.the("Secret", secret)["data"]["HTTP_TOKEN"]).decode()


def a_line(number=17, body=None, *, own=True, **headers):
    """A letter as the worker prints it. Headers without their prefix, as ``Reason="..."``."""
    said = {
        "Reason": "not-permitted",
        "Message": "not tried again: GET /pods: forbidden (403)",
        "Deliveries": "1",
        "Stored": "2026-11-21T10:00:00.500000000Z",
        "Origin": "FALCO:5",
        **headers,
    }
    text = json.dumps(a_document()).encode() if body is None else body
    return {
        "id": number,
        "stored": "2026-11-21T10:00:01.25Z",
        "headers": {f"Falco-{key}": value for key, value in said.items()},
        "body": base64.b64encode(text).decode(),
        "own": own,
    }


def run(*arguments, cluster=None, **wired):
    """falco-playbook in this process, without waiting. ``wired``: of the session."""
    given = cluster or a_cluster()

    def client(_context):
        return Client(FixedClock(), InMemoryCluster(), lambda place: StoredLedger(given, *place))

    wired = {
        "client": client,
        "sleep": lambda seconds: None,
        "connect": lambda context: given,
        "environ": os.environ,
        **wired,
    }
    keys = ("connect", "environ", "client", "sleep")
    return run_here(lambda: program.main(arguments, Session(*map(wired.get, keys))))
