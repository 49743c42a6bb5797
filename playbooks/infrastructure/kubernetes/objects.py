"""Whole objects of any kind, by the Kubernetes API."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import lru_cache, partial
from typing import Any, Callable, Dict, List, Mapping, Sequence, Tuple, TypeVar

import urllib3

from playbooks.core.cluster.changes import CREATE, DELETE, UPDATE
from playbooks.core.cluster.manifest import Manifest, identity
from playbooks.core.cluster.objects import LONGEST_COMMAND, ClusterObjects, Executed
from playbooks.core.errors import (
    ClusterUnavailable,
    Conflict,
    NoCluster,
    NotFound,
    NotTheSameObject,
    PlaybookError,
    RetryableError,
)
from playbooks.infrastructure.kubernetes import connect
from playbooks.infrastructure.kubernetes.api import KubernetesApi, delete_options
from playbooks.infrastructure.kubernetes.connect import TargetCluster
from playbooks.infrastructure.kubernetes.exec import execute

FIELD_MANAGER = "deploy_playbook"

# Seconds to connect, and between two bytes of an answer: admission webhooks may take ten.
TIMEOUT = urllib3.Timeout(connect=5.0, read=20.0)

# Objects of one answer to a list.
PAGE = 500

# Times that a request is repeated where the API server says after how many seconds, as client-go
# does, and seconds that are waited at most.
TRIES, PATIENCE = 10, 20.0

T = TypeVar("T")

Path = Tuple[str, ...]


class KubernetesObjects(ClusterObjects):
    """Objects are created and replaced, not applied.

    Client-side apply keeps a copy of the object in an annotation of at most 256 KiB; server-side
    apply makes Kubernetes 1.16 and 1.17 write ``managedFields``, which Kubeless' NATS trigger,
    whose last version runs on 1.17 at most, cannot read.
    """

    def __init__(
        self,
        target: Callable[[], TargetCluster],
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """``target`` finds the cluster, at the first call."""
        self._target = lru_cache(maxsize=None)(target)
        self._api = KubernetesApi(connect=lambda: self._target().connect(), timeout=TIMEOUT)
        self._sleep = sleep
        # By apiVersion and kind: the resource's name, and whether it is in namespaces.
        self._resources: Dict[Tuple[str, str], Tuple[str, bool]] = {}

    def __str__(self) -> str:
        try:
            return str(self._target())
        except NoCluster as error:
            return str(error)

    def current_namespace(self) -> str:
        try:
            return self._target().namespace
        except NoCluster:
            return "default"

    def raw(self, path: str) -> Manifest:
        return self._asked(lambda: self._api.get(*path.strip("/").split("/")))

    def get(self, manifests: Sequence[Mapping[str, object]]) -> List[Manifest]:
        found = []
        for manifest in manifests:
            path = self._path(manifest)
            with suppress(NotFound):
                found.append(self._asked(partial(self._api.get, *path)))
        return found

    def list(
        self, resources: Sequence[str], *, namespace: str = "", selector: str = ""
    ) -> List[Manifest]:
        return [item for name in resources for item in self._listed(name, namespace, selector)]

    def logs(
        self, namespace: str, pod: str, container: str, *, lines: int, previous: bool = False
    ) -> str:
        path = ("api", "v1", "namespaces", namespace, "pods", pod, "log")
        query = {
            "container": container,
            "tailLines": str(lines),
            "previous": str(previous).lower(),
        }
        seconds = float(TIMEOUT.read_timeout or 0)
        parts = self._asked(lambda: [*self._api.stream(*path, seconds=seconds, **query)])
        return b"".join(parts).decode("utf-8", "replace")

    def create(self, manifests: Sequence[Manifest], *, dry_run: bool = False) -> List[Manifest]:
        def create(manifest: Manifest) -> Manifest:
            path = self._collection(manifest)
            return self._api.post(*path, body=manifest, **_options(dry_run))

        return self._each(create, manifests)

    def replace(self, manifests: Sequence[Manifest], *, dry_run: bool = False) -> List[Manifest]:
        def replace(manifest: Manifest) -> Manifest:
            try:
                return self._api.put(*self._path(manifest), body=manifest, **_options(dry_run))
            except NotTheSameObject as error:
                # Deleted and made again since it was read: what to do is the same.
                raise Conflict(str(error)) from error

        return self._each(replace, manifests)

    def delete(self, manifest: Manifest, *, dry_run: bool = False) -> None:
        uid = manifest["metadata"].get("uid")
        body = delete_options(
            propagationPolicy="Background",
            **({"preconditions": {"uid": uid}} if uid else {}),
            **({"dryRun": ["All"]} if dry_run else {}),
        )
        try:
            self._asked(lambda: self._api.delete(*self._path(manifest), body=body))
        except NotFound:
            return

    def patch(self, manifest: Mapping[str, Any], change: Mapping[str, Any]) -> None:
        path = self._path(manifest)
        self._asked(lambda: self._api.patch(*path, body=change))

    def try_as(
        self,
        user: str,
        operation: str,
        manifest: Mapping[str, Any],
        body: Manifest,
        *,
        subresource: str = "",
    ) -> None:
        dry = {"dryRun": "All"}
        of_new = operation == CREATE and not subresource
        path = self._collection(body) if of_new else self._path(manifest)
        path = (*path, subresource) if subresource else path
        requests: Dict[str, Callable[[], object]] = {
            CREATE: lambda: self._api.post(*path, body=body, user=user, **dry),
            UPDATE: lambda: self._api.patch(*path, body=body, user=user, **dry),
            # With a body, the API server reads no query.
            DELETE: lambda: self._api.delete(*path, body={**body, "dryRun": ["All"]}, user=user),
        }
        self._asked(requests[operation])

    def execute(
        self,
        namespace: str,
        pod: str,
        container: str,
        command: Sequence[str],
        *,
        seconds: float = LONGEST_COMMAND,
    ) -> Executed:
        return execute(self._api, namespace, pod, container, command, seconds=seconds)

    def whoami(self) -> str:
        """Since Kubernetes 1.28."""
        api = "authentication.k8s.io/v1"
        body = {"apiVersion": api, "kind": "SelfSubjectReview"}
        try:
            found = self._api.post("apis", *api.split("/"), "selfsubjectreviews", body=body)
            return str(found["status"]["userInfo"]["username"])
        except (PlaybookError, KeyError):
            return ""

    def _asked(self, call: Callable[[], T]) -> T:
        for _ in range(TRIES):
            try:
                return call()
            except RetryableError as error:
                if error.retry_after is None or error.retry_after > PATIENCE:
                    raise
                self._sleep(error.retry_after)
        return call()

    def _each(
        self, write: Callable[[Manifest], Manifest], manifests: Sequence[Manifest]
    ) -> List[Manifest]:
        """Raises one error for all: of their class where it is one."""
        written: List[Manifest] = []
        errors: List[PlaybookError] = []
        for manifest in manifests:
            try:
                written.append(self._asked(partial(write, manifest)))
            except (ClusterUnavailable, NoCluster):
                raise
            except PlaybookError as error:
                errors.append(error)
        if errors:
            kinds = {type(error) for error in errors}
            said = "\n".join(dict.fromkeys(map(str, errors)))
            raise (kinds.pop() if len(kinds) == 1 else PlaybookError)(said) from errors[0]
        return written

    def _listed(self, name: str, namespace: str, selector: str) -> List[Manifest]:
        resource, _, group = name.partition(".")
        place = ("namespaces", namespace) if namespace else ()
        path = (*self._served(group), *place, resource)
        query = {"limit": str(PAGE), **({"labelSelector": selector} if selector else {})}
        found: List[Manifest] = []
        while True:
            page = self._asked(partial(self._api.get, *path, **query))
            # Items of a list do not say of which kind they are.
            kind = {"apiVersion": page["apiVersion"], "kind": page["kind"][: -len("List")]}
            found += [{**kind, **item} for item in page.get("items") or ()]
            query["continue"] = (page.get("metadata") or {}).get("continue") or ""
            if not query["continue"]:
                return found

    def _served(self, group: str) -> Path:
        if not group:
            return ("api", "v1")
        found = self._asked(lambda: self._api.get("apis", group))
        return _path_of(found["preferredVersion"]["groupVersion"])

    def _path(self, manifest: Mapping[str, Any]) -> Path:
        return (*self._collection(manifest), identity(manifest)[2])

    def _collection(self, manifest: Mapping[str, Any]) -> Path:
        """Where objects of its kind are, in its namespace, or in the current one if it has none.
        Raises NotFound for a kind that is not served."""
        api, kind = str(manifest["apiVersion"]), str(manifest["kind"])
        if (api, kind) not in self._resources:
            self._resources.update(self._discovered(api))
        if (api, kind) not in self._resources:
            raise NotFound(f"the API server does not serve kind {kind} of {api}")
        name, namespaced = self._resources[api, kind]
        if not namespaced:
            return (*_path_of(api), name)
        namespace = (manifest.get("metadata") or {}).get("namespace") or self.current_namespace()
        return (*_path_of(api), "namespaces", namespace, name)

    def _discovered(self, api: str) -> Dict[Tuple[str, str], Tuple[str, bool]]:
        try:
            served = self._asked(lambda: self._api.get(*_path_of(api)))["resources"]
        except NotFound:
            return {}
        # Those with a slash are parts of others, such as pods/log.
        whole = [each for each in served if "/" not in each["name"]]
        return {(api, each["kind"]): (each["name"], each["namespaced"]) for each in whole}


def of_context(context: str = "", kubeconfig: str = "") -> KubernetesObjects:
    """Of the cluster of a kubeconfig's context, or of the current one where it is empty.
    ``kubeconfig``: its file, empty for the one that kubectl would take."""
    return KubernetesObjects(partial(connect.of_context, context, kubeconfig))


def _path_of(api: str) -> Path:
    return ("apis", *api.split("/")) if "/" in api else ("api", api)


def _options(dry_run: bool) -> Dict[str, str]:
    strict = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
    return {**strict, "dryRun": "All"} if dry_run else strict
