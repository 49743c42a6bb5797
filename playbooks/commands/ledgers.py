"""The ledgers of deployed playbooks, by kubectl."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Tuple

from playbooks.commands.cluster import Cluster
from playbooks.core.cluster.manifest import Manifest, reference
from playbooks.core.errors import Conflict, NotFound
from playbooks.core.ports import LedgerStore
from playbooks.deployment.errors import DeploymentError
from playbooks.deployment.kubectl import Conflicting, NotThere
from playbooks.deployment.manifests import ledger
from playbooks.infrastructure.kubernetes.ledger import KEY


@dataclass(frozen=True)
class KubectlLedger(LedgerStore):
    cluster: Cluster
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    def read(self) -> Tuple[str, str]:
        found = self._stored()
        return (found.get("data") or {}).get(KEY, ""), found["metadata"]["resourceVersion"]

    def write(self, text: str, *, version: str) -> str:
        stored = self._stored()
        metadata = {**stored["metadata"], "resourceVersion": version}
        wanted = {**stored, "metadata": metadata, "data": {KEY: text}}
        try:
            (written,) = self.cluster.replace([wanted])
        except Conflicting as error:
            raise Conflict(str(error)) from error
        except NotThere as error:
            raise NotFound(str(error)) from error
        return str(written["metadata"]["resourceVersion"])

    def _stored(self) -> Manifest:
        found = self.cluster.get([reference("v1", "ConfigMap", self.name, self.namespace)])
        if not found:
            raise NotFound(f"there is no ledger {self}: it is made by deploying the playbook")
        return found[0]


def of(cluster: Cluster, namespace: str, function: str) -> KubectlLedger:
    return KubectlLedger(cluster, namespace, ledger.name(function))


def everywhere(cluster: Cluster, namespace: str = "") -> List[KubectlLedger]:
    """Those of all playbooks, in one namespace or in all. Raises DeploymentError for none."""
    found = cluster.list(("configmaps",), namespace=namespace, selector=ledger.LABEL)
    if not found:
        where = f"in namespace {namespace}" if namespace else "in this cluster"
        raise DeploymentError(f"there is no playbook with a ledger {where}")
    places = ((m["metadata"]["namespace"], m["metadata"]["name"]) for m in found)
    return [KubectlLedger(cluster, *place) for place in sorted(places)]
