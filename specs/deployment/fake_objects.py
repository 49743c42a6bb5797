"""A cluster in memory behind the port of kubectl."""

from __future__ import annotations

from itertools import count

from playbooks.core.cluster.manifest import identity
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.errors import AlreadyExists, Conflict, NotFound

SERVED = ("functions", "natstriggers")
CORE = {
    *("configmaps", "events", "namespaces", "nodes", "persistentvolumeclaims", "pods"),
    *("replicationcontrollers", "secrets", "serviceaccounts", "services"),
}
ADMISSION = "/apis/admissionregistration.k8s.io/v1"

# Where the API server is, as every cluster says.
API_SERVER = {
    "apiVersion": "discovery.k8s.io/v1",
    "kind": "EndpointSlice",
    "metadata": {"name": "kubernetes", "namespace": "default"},
    "endpoints": [{"addresses": ["192.0.2.1"]}],
    "ports": [{"port": 6443}],
}


def singular(plural):
    return f"{plural[:-3]}y" if plural.endswith("ies") else plural[:-1]


def rolled_out(deployment):
    replicas = deployment["spec"].get("replicas", 1)
    return dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas"), replicas)


# Most of what is copied.
_WHOLE = {str, int, bool, type(None)}


def copied(value):
    """As copy.deepcopy, of what JSON can say only, in a thirtieth of the time."""
    if isinstance(value, dict):
        return {k: each if type(each) in _WHOLE else copied(each) for k, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [each if type(each) in _WHOLE else copied(each) for each in value]
    return value


class FakeObjects(ClusterObjects):
    """``calls``: what was asked for in turn, such as ("create", "Function falco-delete").
    ``reads``: what was read, such as ("get", "Function falco-delete") or ("list", "pods").

    ``failures``: the error that a verb on a kind raises; "dry-run create" is a verb of its own.
    ``finalizer``: deleted objects stay, marked for deletion. ``before`` is called before each call.
    ``status``: what a stored Deployment's becomes. ``logged``: logs by pod and container.
    ``api_server``: its EndpointSlice. ``version``: its own; it serves admission policies from 1.30
    on.
    """

    def __init__(self, *objects, served=SERVED, namespace="default"):
        self.objects = {}
        self.served = served
        self.namespace = namespace
        self.calls, self.reads = [], []
        self.failures = {}
        self.finalizer = False
        self.logged = {}
        self.api_server = copied(API_SERVER)
        self.status = rolled_out
        self.version = "v1.34.4"
        self.before_call = lambda verb, manifest: None
        self._numbers = count(1)
        for manifest in objects:
            self._store(manifest, uid=f"uid-{next(self._numbers)}")

    def __str__(self):
        return "a cluster in memory"

    def patch(self, manifest, change):
        """Annotations alone."""
        metadata = self.objects[identity(manifest)]["metadata"]
        merged = {**(metadata.get("annotations") or {}), **change["metadata"]["annotations"]}
        metadata["annotations"] = {k: v for k, v in merged.items() if v is not None}
        self.calls.append(("patch", f"{manifest['kind']} {manifest['metadata']['name']}"))

    def try_as(self, user, operation, manifest, body, *, subresource=""):
        raise NotImplementedError

    def execute(self, namespace, pod, container, command, **how):
        raise NotImplementedError

    def whoami(self):
        return "alice"

    def current_namespace(self):
        return self.namespace

    def raw(self, path):
        if path in self.failures:
            raise self.failures[path]
        if path == "/version":
            return {"gitVersion": self.version}
        if path == ADMISSION:
            minor = int(self.version.split(".")[1])
            return {"resources": [{"name": "validatingadmissionpolicies"}] if minor >= 30 else []}
        if not self.served:
            raise NotFound("Error from server (NotFound)")
        return {"resources": [{"name": name} for name in self.served]}

    def get(self, manifests):
        self.reads += [("get", f"{m['kind']} {m['metadata']['name']}") for m in manifests]
        there = {identity(API_SERVER): self.api_server, **self.objects}
        known = [there.get(identity(manifest)) for manifest in manifests]
        return [copied(found) for found in known if found]

    def list(self, resources, *, namespace="", selector=""):
        self.reads += [("list", each) for each in resources]
        # As the API server answers: all others are served with their group alone.
        for unknown in sorted({each for each in resources if "." not in each} - CORE):
            raise NotFound(f"GET /api/v1/{unknown}: the server could not find it (404)")
        if resources[0] in self.failures:
            raise self.failures[resources[0]]
        kinds = [singular(resource.partition(".")[0]) for resource in resources]
        return [
            copied(manifest)
            for (kind, place, _), manifest in self.objects.items()
            if kind.lower() in kinds
            and namespace in ("", place)
            and self._selected(manifest, selector)
        ]

    def logs(self, namespace, pod, container, *, lines, previous=False):
        return self.logged.get((pod, container), "")

    def create(self, manifests, *, dry_run=False):
        return [self._create(manifest, dry_run) for manifest in manifests]

    def replace(self, manifests, *, dry_run=False):
        return [self._replace(manifest, dry_run) for manifest in manifests]

    def delete(self, manifest, *, dry_run=False):
        self._called("delete", manifest, dry_run)
        stored = self.objects.get(identity(manifest))
        if dry_run or not stored:
            return
        if self.finalizer:
            stored["metadata"]["deletionTimestamp"] = "2026-11-21T09:00:00Z"
            return
        del self.objects[identity(manifest)]
        self._collect(stored["metadata"]["uid"])

    @property
    def changes(self):
        """The calls that changed something."""
        return [call for call in self.calls if not call[0].startswith("dry-run")]

    @property
    def names(self):
        return sorted(f"{kind} {name}" for kind, _, name in self.objects)

    def the(self, kind, name):
        return next(m for (k, _, n), m in self.objects.items() if (k, n) == (kind, name))

    def _create(self, manifest, dry_run):
        self._called("create", manifest, dry_run)
        if identity(manifest) in self.objects:
            raise AlreadyExists(f"{identity(manifest)} is there")
        uid = f"uid-{next(self._numbers)}"
        return manifest if dry_run else copied(self._store(manifest, uid=uid))

    def _replace(self, manifest, dry_run):
        self._called("replace", manifest, dry_run)
        stored = self.objects.get(identity(manifest))
        if not stored:
            raise NotFound(f"{identity(manifest)} is not there")
        version = manifest["metadata"]["resourceVersion"]
        if version != stored["metadata"]["resourceVersion"]:
            raise Conflict("written since")
        if dry_run:
            return manifest
        return copied(self._store(manifest, uid=stored["metadata"]["uid"]))

    def _called(self, verb, manifest, dry_run):
        verb = f"dry-run {verb}" if dry_run else verb
        self.before_call(verb, manifest)
        self.calls.append((verb, f"{manifest['kind']} {manifest['metadata']['name']}"))
        error = self.failures.get((verb, manifest["kind"]))
        if error:
            raise error

    def _store(self, manifest, *, uid):
        stored = copied(manifest)
        stored["metadata"]["uid"] = uid
        stored["metadata"]["resourceVersion"] = str(next(self._numbers))
        if stored["kind"] == "Deployment":
            stored["status"] = self.status(stored)
        self.objects[identity(stored)] = stored
        return stored

    def _collect(self, uid):
        """What the garbage collector does with objects whose owner is gone."""
        self.objects = {
            key: manifest
            for key, manifest in self.objects.items()
            if uid not in [o["uid"] for o in manifest["metadata"].get("ownerReferences", [])]
        }

    def _selected(self, manifest, selector):
        labels = manifest["metadata"].get("labels") or {}
        parts = [part.partition("=") for part in selector.split(",") if part]
        return all(key in labels and value in ("", labels[key]) for key, _, value in parts)


class Unasked(FakeObjects):
    """Nothing may be asked of it; its kubeconfig may be read."""

    def raw(self, path):
        raise AssertionError("the cluster is asked")


class NoCluster(Unasked):
    """Its kubeconfig may not be read either."""

    def current_namespace(self):
        raise AssertionError("the kubeconfig of this machine is read")
