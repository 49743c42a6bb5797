"""The stand-in over HTTP, served by kmock.

kmock (https://github.com/nolar/kmock) parses requests as the Kubernetes API does and answers its
discovery, so that kubectl works too. Its own in-memory objects have neither preconditions nor
resourceVersions, and it changes them before any handler of ours is asked: hence ``Objects``.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Dict, Optional, Tuple, Type, Union

import kmock

from playbooks.core.cluster.pod import Pod
from playbooks.engines.local.standin import status
from playbooks.engines.local.standin.kinds import BY_NAME, BY_RESOURCE, KINDS, Kind
from playbooks.engines.local.standin.objects import Objects

# Paths of objects and lists; shorter ones are discovery, which is kmock's.
_OBJECTS = re.compile(r"/api/v1/.+|/apis/[^/]+/[^/]+/.+")

_NAMESPACE = re.compile(r"/api/v1/namespaces/[^/]+/?")

_MERGE_PATCH = "application/merge-patch+json"

VERBS = ("create", "delete", "get", "list", "patch", "update")

# kmock calls the core group "/v1", which kubectl does not take.
_CORE = {
    "kind": "APIResourceList",
    "groupVersion": "v1",
    "resources": [
        {
            "name": kind.plural,
            "singularName": kind.name.lower(),
            "shortNames": kind.short_names,
            "namespaced": kind.namespaced,
            "kind": kind.name,
            "verbs": list(VERBS),
        }
        for kind in KINDS
        if not kind.group
    ],
}

# Seconds for the server to come up.
START = 10.0


class StandIn:
    """Serves ``objects`` on a free loopback port, in a thread, for as long as it is entered."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._thread = threading.Thread(target=self._run, daemon=True, name="stand-in")
        self._started = threading.Event()
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._stop: Optional[asyncio.Event] = None
        self._failure: Optional[BaseException] = None
        self.url = ""

    def __enter__(self) -> StandIn:
        self._thread.start()
        if not self._started.wait(START) or self._failure:
            raise RuntimeError(f"the stand-in did not start: {self._failure}") from self._failure
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        if self._loop and self._stop:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(START)

    def write_kubeconfig(self, path: Path) -> None:
        name = "stand-in"
        context = {"cluster": name, "user": name}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "clusters": [{"name": name, "cluster": {"server": self.url}}],
            "users": [{"name": name, "user": {}}],
            "contexts": [{"name": name, "context": context}],
        }
        path.write_text(json.dumps(document), encoding="utf-8")

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._failure = error
        finally:
            self._started.set()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        handler = kmock.KubernetesScaffold()
        for kind in KINDS:
            handler.resources[kmock.resource(kind.group, "v1", kind.plural)] = kmock.ResourceInfo(
                kind=kind.name,
                singular=kind.name.lower(),
                shortnames=set(kind.short_names),
                namespaced=kind.namespaced,
                verbs=set(VERBS),
            )
        async with handler, kmock.Server(handler) as server:
            handler["get /api/v1"] << _CORE
            handler["post", _OBJECTS] << 201 << self._answer
            handler["get", _OBJECTS] << self._answer
            handler["put", _OBJECTS] << self._answer
            handler["patch", _OBJECTS] << self._answer
            handler["delete", _OBJECTS] << self._answer
            self.url = f"http://{server.host}:{server.port}"
            self._started.set()
            await self._stop.wait()

    def _answer(self, request: kmock.Request) -> Union[Dict[str, Any], bytes]:
        try:
            return self._carry_out(request)
        except status.ApiError as error:
            raise kmock.KubernetesError(
                error.code, error.reason, str(error), error.details
            ) from error

    def _carry_out(self, request: kmock.Request) -> Union[Dict[str, Any], bytes]:
        """Source: https://kubernetes.io/docs/reference/using-api/api-concepts/."""
        kind, namespace, name = _place(request)
        method = request.method.value
        if kind is not None and (kind.name, request.subresource, method) == ("Pod", "log", "GET"):
            return self._log(kind, namespace, name, request.params.get("container", ""))
        if kind is None or request.subresource:
            raise status.no_such_path()
        if not name:
            return self._on_list(kind, method, namespace, request)
        if method == "GET":
            return self._objects.read(kind, namespace, name)
        if method == "DELETE":
            return self._objects.delete(kind, namespace, name, _body(request, empty=True))
        if method == "PUT":
            return self._objects.replace(kind, namespace, name, _body(request))
        if method == "PATCH":
            if _content_type(request) != _MERGE_PATCH:
                raise status.ApiError(
                    415, "UnsupportedMediaType", f"the stand-in takes {_MERGE_PATCH} only"
                )
            return self._objects.patch(kind, namespace, name, _body(request))
        raise _not_allowed(method)

    def _log(self, kind: Kind, namespace: str, name: str, container: str) -> bytes:
        """Nothing runs in its pods."""
        pod = Pod(self._objects.read(kind, namespace, name))
        if container not in [known.name for known in pod.containers]:
            raise status.bad_request(f"container {container} is not valid for pod {name}")
        return b""

    def _on_list(
        self, kind: Kind, method: str, namespace: str, request: kmock.Request
    ) -> Dict[str, Any]:
        if method == "POST":
            return self._objects.create(kind, namespace, _body(request))
        if method != "GET":
            raise _not_allowed(method)
        if request.params.get("watch"):
            raise status.bad_request("the stand-in does not know watch")
        label = request.params.get("labelSelector", "")
        if set(label) & set("=!,() "):
            raise status.bad_request("the stand-in knows a labelSelector of one key only")
        items = [
            item
            for item in self._objects.all(kind, namespace, request.params.get("fieldSelector", ""))
            if not label or label in (item["metadata"].get("labels") or {})
        ]
        return {
            "kind": f"{kind.name}List",
            "apiVersion": kind.api_version,
            "metadata": {"resourceVersion": self._objects.version},
            "items": items,
        }


def _place(request: kmock.Request) -> Tuple[Optional[Kind], str, str]:
    """Kind, namespace and name. kmock takes the path of a namespace for that of its objects."""
    if _NAMESPACE.fullmatch(request.url.path):
        return BY_NAME["Namespace"], "", request.namespace or ""
    found = request.resource
    kind = BY_RESOURCE.get((str(found.group), str(found.plural))) if found else None
    return kind, request.namespace or "", request.name or ""


def _body(request: kmock.Request, *, empty: bool = False) -> Dict[str, Any]:
    if empty and not request.body:
        return {}
    try:
        document = json.loads(request.body)
    except ValueError as error:
        raise status.bad_request(f"the body is no JSON: {error}") from error
    if not isinstance(document, dict):
        raise status.bad_request("the body is no JSON object")
    return document


def _content_type(request: kmock.Request) -> str:
    headers = {key.lower(): value for key, value in request.headers.items()}
    return str(headers.get("content-type", "")).partition(";")[0].strip()


def _not_allowed(method: str) -> status.ApiError:
    why = f"the server does not allow {method} on the requested resource"
    return status.ApiError(405, "MethodNotAllowed", why)
