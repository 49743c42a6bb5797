"""An object of the API as it was read: a pod, a node, a workload, or one of another kind."""

from __future__ import annotations

from typing import Any, Mapping


class ReadObject:
    """What an object of the API, as it was read, says of itself. What it lacks is empty, but for
    the name.

    ``api_kind``: the API's name of its kind (``Pod``); ``typed``: as people type that (``pod``).
    ``api``: the one that has the kind, empty where the kind tells.
    """

    manifest: Mapping[str, Any]

    @property
    def api_kind(self) -> str:
        raise NotImplementedError

    @property
    def api(self) -> str:
        return ""

    @property
    def typed(self) -> str:
        return self.api_kind.lower()

    @property
    def name(self) -> str:
        return str(self._metadata["name"])

    @property
    def namespace(self) -> str:
        """Empty for what belongs to none."""
        return str(self._metadata.get("namespace") or "")

    @property
    def uid(self) -> str:
        return str(self._metadata.get("uid", ""))

    @property
    def resource_version(self) -> str:
        return str(self._metadata.get("resourceVersion", ""))

    @property
    def labels(self) -> Mapping[str, str]:
        return self._metadata.get("labels") or {}

    @property
    def annotations(self) -> Mapping[str, str]:
        return self._metadata.get("annotations") or {}

    def __str__(self) -> str:
        namespace = self.namespace
        return f"{self.typed} {namespace}/{self.name}" if namespace else f"{self.typed} {self.name}"

    @property
    def _metadata(self) -> Mapping[str, Any]:
        return self.manifest["metadata"]  # type: ignore[no-any-return]
