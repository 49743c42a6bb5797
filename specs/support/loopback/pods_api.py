"""The API of pods, in memory, with lists and watches that a spec writes."""

from __future__ import annotations

import copy
import json
import logging
from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from playbooks.core.errors import NotFound, NotPermitted
from playbooks.infrastructure.kubernetes.api import AnswerTooLong, error_of
from playbooks.infrastructure.kubernetes.view.watched import WatchedCluster

Manifest = Dict[str, Any]

# Nothing but pods is watched here, which nobody needs to be told.
logging.getLogger("playbooks").addHandler(logging.NullHandler())


class PodsApi:
    """Has the methods of KubernetesApi that reading, deleting and watching pods take.

    ``calls``: those made, but for lists by pages and watches. ``before_delete`` is called once,
    before the next one. ``deleted``: uids and container statuses of what was deleted. ``longest``:
    objects of the longest page that can be read.
    """

    def __init__(self) -> None:
        self.pods: Dict[Tuple[str, str], Manifest] = {}
        self.version = 100
        self.events: List[Manifest] = []
        self.calls: List[str] = []
        self.deleted: List[Manifest] = []
        self.before_delete: List[Callable[[], None]] = []
        self.pages: List[List[Manifest]] = []
        self.script: Iterator[Any] = iter(())
        self.asked: List[Mapping[str, str]] = []
        self.longest = 1000

    def put(self, manifest: Manifest) -> Manifest:
        self.version += 1
        manifest = copy.deepcopy(manifest)
        metadata = manifest["metadata"]
        metadata["resourceVersion"] = str(self.version)
        key = (metadata["namespace"], metadata["name"])
        self.events.append(event("MODIFIED" if key in self.pods else "ADDED", manifest))
        self.pods[key] = manifest
        return manifest

    def remove(self, namespace: str, name: str) -> None:
        gone = self.pods.pop((namespace, name), None)
        if gone is not None:
            self.version += 1
            gone["metadata"]["resourceVersion"] = str(self.version)
            self.events.append(event("DELETED", gone))

    def get(self, *path: str, **query: str) -> Manifest:
        self.calls.append("GET")
        if path[-2:-1] == ("namespaces",):
            return {"metadata": {"name": path[-1]}}
        if "pods" not in path:
            return {"items": [], "gitVersion": "v1.34.4"}
        if path[-1] == "pods":
            node = query["fieldSelector"].partition("=")[2]
            space = path[3] if path[2] == "namespaces" else ""
            pods = (p for p in self.pods.values() if p["spec"].get("nodeName") == node)
            found = [p for p in pods if space in ("", p["metadata"]["namespace"])]
            return copy.deepcopy({"items": found})
        return copy.deepcopy(self._pod(path))

    def tell(self, method: str, *path: str, body: Mapping[str, Any]) -> None:
        self.calls.append(method)
        if self.before_delete:
            self.before_delete.pop()()
        pod = self._pod(path)
        for key in ("uid", "resourceVersion"):
            wanted, there = body["preconditions"].get(key), pod["metadata"][key]
            if wanted is not None and wanted != there:
                name = "UID" if key == "uid" else "ResourceVersion"
                said = f"the {name} in the precondition ({wanted}) does not match"
                raise error_of(409, {"reason": "Conflict", "message": said}, {}, "DELETE")
        self.deleted.append(copy.deepcopy(pod))
        ending = {**pod["metadata"], "deletionTimestamp": "2026-01-02T03:04:06Z"}
        self.put({**pod, "metadata": ending})

    def read(self, *path: str, most: int, seconds: Optional[float] = None, **query: str) -> bytes:
        if "fieldSelector" in query or path[1].endswith("registration.k8s.io"):
            return json.dumps(self.get(*path, **query)).encode()
        if path[-1] != "pods":
            raise NotPermitted("nothing else is watched here")
        self.asked.append(query)
        if int(query["limit"]) > self.longest:
            raise AnswerTooLong(f"more than {most} bytes")
        number = int(query.get("continue") or 0)
        last = number + 1 >= len(self.pages)
        items = self.pages[number] if self.pages else []
        metadata = {"resourceVersion": "100", "continue": "" if last else str(number + 1)}
        return json.dumps({"metadata": metadata, "items": items}).encode()

    @contextmanager
    def lines(self, *path: str, seconds: float, **query: str) -> Iterator[Iterator[bytes]]:
        self.asked.append(query)
        yield (json.dumps(each).encode() for each in self.script)

    def _pod(self, path: Sequence[str]) -> Manifest:
        found = self.pods.get((path[3], path[5]))
        if found is None:
            raise NotFound(f"pods {path[5]!r} not found")
        return found


def event(kind: str, manifest: Manifest) -> Manifest:
    return {"type": kind, "object": copy.deepcopy(manifest)}


def while_watching(
    api: PodsApi,
    events: Sequence[Manifest],
    call: Callable[[WatchedCluster], Any],
    listed: Sequence[Manifest] = (),
) -> Any:
    """What ``call`` returns, made while the view has heard of these events after its list."""
    cluster: WatchedCluster = WatchedCluster(api)  # type: ignore[arg-type]
    found: List[Any] = []

    def script() -> Iterator[Manifest]:
        yield from events
        yield {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "100"}}}
        found.append(call(cluster))

    api.pages, api.script = [copy.deepcopy(list(listed))], script()
    try:
        cluster.pods.followers[0].turn()
    finally:
        cluster.stop()
    return found[0]
