"""The worker's own Function and the NATSTriggers beside it, by the Kubernetes API."""

from __future__ import annotations

import logging
from typing import Any, Callable, ContextManager, Dict, Iterator, Mapping, Optional

import urllib3

from playbooks.core.cluster.manifest import REMOVING
from playbooks.core.errors import ClusterUnavailable, NotFound, PlaybookError
from playbooks.infrastructure.kubernetes.api import KubernetesApi
from playbooks.infrastructure.kubernetes.list_watch import ListWatch, Trouble

LOG = logging.getLogger(__name__)

# Seconds that one watch of triggers lasts; before each the Function is read again.
WATCH = 30

_GROUP = ("apis", "kubeless.io", "v1beta1")

# Seconds for the question whether the API server is there.
_SHORT = urllib3.Timeout(connect=2.0, read=3.0)

REFUSED = (
    "the API server refuses this account's token (401): the ServiceAccount was deleted or"
    " recreated. The token is read again; a new pod has another ('kubectl rollout restart')"
)


Manifest = Mapping[str, Any]

# Takes the Function, and the triggers of its namespace by name. No Function where it is gone, is
# going, or is another one than before.
Changed = Callable[[Optional[Manifest], Mapping[str, Manifest]], None]


class KubelessObjects:
    """Needs the right to get the Function, and to list and watch the triggers."""

    def __init__(
        self,
        namespace: str,
        function: str,
        *,
        api: Optional[KubernetesApi] = None,
        probe: Optional[KubernetesApi] = None,
    ) -> None:
        self._api = api or KubernetesApi()
        self._probe = probe or KubernetesApi(timeout=_SHORT)
        self._names = namespace, function
        self._tells = False

    def feed(self, changed: Changed, trouble: Trouble) -> FunctionFeed:
        return FunctionFeed(self._api, *self._names, changed, trouble)

    def may(self, verb: str, resource: str, group: str, namespace: str) -> bool:
        """As ``KubernetesApi.may``."""
        return self._api.may(verb, resource, group, namespace)

    def missing(self) -> str:
        """Empty where the API server says that it is ready, or has never told us. One that is
        starting refuses what it granted before, and will grant again.

        Source: https://kubernetes.io/docs/reference/using-api/health-checks/
        """
        try:
            status = self._probe.status("readyz")
        except PlaybookError:
            return ClusterUnavailable.AWAY
        if status == 401:
            return REFUSED
        self._tells = self._tells or status == 200
        return (
            "" if status == 200 or (status < 500 and not self._tells) else ClusterUnavailable.AWAY
        )


class FunctionFeed(ListWatch[Manifest]):
    """Tells ``changed`` the Function and the triggers, at first and after every change."""

    # What changes takes effect within 5 seconds, also a right that was missing.
    LONGEST_PAUSE, NO_RIGHT = 2.0, 0.0

    def __init__(
        self,
        api: KubernetesApi,
        namespace: str,
        function: str,
        changed: Changed,
        trouble: Trouble,
    ) -> None:
        super().__init__("natstriggers", trouble)
        self._api = api
        self._function_path = (*_GROUP, "namespaces", namespace, "functions", function)
        self._triggers_path = (*_GROUP, "namespaces", namespace, "natstriggers")
        self._changed = changed
        self._uid = ""
        self._function: Optional[Manifest] = None
        self._triggers: Dict[str, Manifest] = {}

    def is_removed(self) -> bool:
        """Whether the Function is being removed, or is gone. One call, which blocks; False where
        the API server does not say."""
        try:
            found = self._read()
        except Exception as error:
            LOG.warning(f"whether the function is removed cannot be asked: {error}")
            return False
        return found is None or REMOVING in (found["metadata"].get("annotations") or {})

    def _list(self) -> str:
        found = self._api.get(*self._triggers_path)
        self._triggers = {item["metadata"]["name"]: item for item in found["items"]}
        return str(found["metadata"]["resourceVersion"])

    def _watch(self, version: str) -> ContextManager[Iterator[Manifest]]:
        self._function = self._read()
        self._tell()
        return self._api.watch(*self._triggers_path, seconds=WATCH, resourceVersion=version)

    def _take(self, event: Manifest) -> str:
        kind, item = event["type"], event["object"]
        metadata = item["metadata"]
        if kind in ("ADDED", "MODIFIED"):
            self._triggers[metadata["name"]] = item
        elif kind == "DELETED":
            self._triggers.pop(metadata["name"], None)
        if kind != "BOOKMARK":
            self._tell()
        return str(metadata["resourceVersion"])

    def _read(self) -> Optional[Manifest]:
        """The Function, unless it is gone, is going, or is another one than before."""
        try:
            found = self._api.get(*self._function_path)
        except NotFound:
            return None
        metadata = found["metadata"]
        if metadata.get("deletionTimestamp"):
            return None
        self._uid = self._uid or metadata["uid"]
        return found if metadata["uid"] == self._uid else None

    def _tell(self) -> None:
        if self._function is None:
            return self._changed(None, {})
        return self._changed(self._function, dict(self._triggers))
