"""The worker's own Function and the NATSTriggers beside it, by the Kubernetes API."""

from __future__ import annotations

from typing import Any, Iterator, List, Mapping, Optional, Tuple

import urllib3

from playbooks.core.errors import ClusterUnavailable, PlaybookError, Refused
from playbooks.infrastructure.kubernetes.api import KubernetesApi

_GROUP = ("apis", "kubeless.io", "v1beta1")

# Seconds for the question whether the API server is there.
_SHORT = urllib3.Timeout(connect=2.0, read=3.0)

REFUSED = (
    "the API server refuses this account's token (401): the ServiceAccount was deleted or"
    " recreated. The token is read again; a new pod has another ('kubectl rollout restart')"
)


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
        self._function = (*_GROUP, "namespaces", namespace, "functions", function)
        self._tells = False
        self._triggers = (*_GROUP, "namespaces", namespace, "natstriggers")

    def function(self) -> Mapping[str, Any]:
        return self._api.get(*self._function)

    def triggers(self) -> Tuple[List[Mapping[str, Any]], str]:
        found = self._api.get(*self._triggers)
        return list(found["items"]), str(found["metadata"]["resourceVersion"])

    def watch(self, version: str, seconds: int) -> Iterator[Mapping[str, Any]]:
        """Events as the API has them. One of type ERROR, also where the answer itself is 410."""
        try:
            yield from self._api.watch(*self._triggers, seconds=seconds, resourceVersion=version)
        except Refused as error:
            yield {"type": "ERROR", "object": {"code": 410, "message": str(error)}}

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
