"""The ledger of a playbook in a ConfigMap."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Dict, Mapping, Tuple

from playbooks.core.cluster.manifest import LEDGER, labels
from playbooks.core.errors import AlreadyExists, Conflict, NotFound, NotPermitted
from playbooks.core.ports import LedgerStore
from playbooks.infrastructure.kubernetes.api import KubernetesApi

KEY = "ledger.json"


class ConfigMapLedger(LedgerStore):
    """Deploying makes it, and the playbook may get and patch this one ConfigMap only. Where it is
    missing and may be made, as by a person on the command line, reading makes it.

    ``function``: whose ledger it is, so that deploying that takes over what was made here.
    """

    def __init__(
        self, api: KubernetesApi, *, namespace: str, name: str, function: str = ""
    ) -> None:
        self._api = api
        self._function = function
        self._namespace, self._name = namespace, name
        self._all = ("api", "v1", "namespaces", namespace, "configmaps")

    def read(self) -> Tuple[str, str]:
        try:
            found: Mapping[str, Any] = self._api.get(*self._all, self._name)
        except NotFound as missing:
            found = self._made(missing)
        return (found.get("data") or {}).get(KEY, ""), found["metadata"]["resourceVersion"]

    def write(self, text: str, *, version: str) -> str:
        return str(self._patched(text, version)["metadata"]["resourceVersion"])

    def writable(self) -> str:
        text, version = self.read()
        with suppress(Conflict):
            # Another text: the same one may be written to what cannot be changed.
            self._patched(f"{text}\n", version, dryRun="All")
        return text

    def _patched(self, text: str, version: str, **query: str) -> Mapping[str, Any]:
        body = {"metadata": {"resourceVersion": version}, "data": {KEY: text}}
        return self._api.strategic_patch(*self._all, self._name, body=body, **query)

    def _made(self, missing: NotFound) -> Mapping[str, Any]:
        metadata: Dict[str, Any] = {"name": self._name, "namespace": self._namespace}
        whose = labels(self._function) if self._function else {}
        metadata["labels"] = {**whose, LEDGER: "true"}
        manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
        try:
            return self._api.post(*self._all, body=manifest)
        except AlreadyExists:
            return self._api.get(*self._all, self._name)
        except NotPermitted:
            where = f"{self._namespace}/{self._name}"
            said = f"the ledger, ConfigMap {where}, is not there: deploying again makes it"
            raise NotFound(said) from missing
