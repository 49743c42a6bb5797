"""The ground that all run on: a namespace of pods that no node has, an account, a NATS server."""

from __future__ import annotations

import base64
import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple

import certifi
import urllib3
import yaml

from benchmarks.storm.gone import Gone
from benchmarks.storm.tap import Tap
from playbooks.core.errors import ClusterUnavailable
from playbooks.infrastructure.kubernetes.api import KubernetesApi
from specs.support.cluster import real_cluster as cluster
from specs.support.worker.worker_on_cluster import FUNCTION, Served

Manifest = Dict[str, Any]

TOPIC = "falco.notice.*"
SUBJECT = "falco.notice.terminal_shell_in_container"

# Threads that make pods, and seconds that it may take until all are gone.
MAKERS, CLEARING = 8, 600.0


class Ground(Served):
    """Everybody acts as the same account of the namespace: the API server shares itself out by
    account. Pods are seen to be gone by one watch, the same for all."""

    def __init__(self) -> None:
        super().__init__(TOPIC)
        self._api = KubernetesApi()
        self._made = 0

    def begin(self) -> None:
        super().begin()
        self.account = self._service_account()
        self.tap = Tap(self.api_server)
        self.gone = Gone(self.namespace)
        self.gone.start()

    def end(self) -> None:
        if hasattr(self, "gone"):
            self.gone.stop()
        if hasattr(self, "tap"):
            self.tap.close()
        if self.namespaces:
            self.clear()
        super().end()

    def pods(self, count: int, owners: Sequence[Manifest] = ()) -> List[Manifest]:
        """New ones, of names that nobody had before, each of one of the owners in turn."""
        first, self._made = self._made, self._made + count
        with ThreadPoolExecutor(MAKERS) as pool:
            return list(pool.map(lambda n: self._pod(n, owners), range(first, first + count)))

    def clear(self) -> None:
        """Delete every pod there is: many take longer than the minute that a call may."""
        patient = KubernetesApi(timeout=urllib3.Timeout(connect=3.0, read=120.0))

        def cleared() -> bool:
            with suppress(ClusterUnavailable):
                patient.delete("api", "v1", "namespaces", self.namespace, "pods", body={})
                return True
            return False

        if not until(cleared, CLEARING):
            raise RuntimeError(f"pods are left in {self.namespace}")

    def _pod(self, number: int, owners: Sequence[Manifest]) -> Manifest:
        path = ("api", "v1", "namespaces", self.namespace, "pods")
        manifest = cluster.a_pod_manifest(f"web-{number}", self.namespace, gated=True)
        if owners:
            manifest["metadata"]["ownerReferences"] = [_reference(owners[number % len(owners)])]
        return self._api.post(*path, body=manifest)

    def _kubeconfig(self) -> Path:
        """The account's, straight to the API server."""
        view = json.loads(
            cluster.kubectl("config", "view", "--raw", "--minify", "--flatten", "-o", "json")
        )
        self.view = view
        host, _, port = self._server["server"].partition("//")[2].rstrip("/").partition(":")
        self.api_server = (host, int(port or 443))
        view["users"][0]["user"] = {"token": cluster.token_of(FUNCTION, self.namespace)}
        return self.kubeconfig_at("kubeconfig", self.api_server)

    def kubeconfig_at(self, name: str, address: Tuple[str, int]) -> Path:
        """The account's, with the API server behind an address."""
        host, port = address
        real, path = self.api_server[0], Path(self.directory) / name
        view = json.loads(json.dumps(self.view))
        server = view["clusters"][0]["cluster"]
        server["server"] = f"https://{host}:{port}"
        if host != real:
            server["tls-server-name"] = real
        path.write_text(yaml.safe_dump(view))
        return path

    @property
    def _server(self) -> Dict[str, Any]:
        return dict(self.view["clusters"][0]["cluster"])

    def _service_account(self) -> Path:
        """A directory as the kubelet mounts it, for who acts as in a pod."""
        path, server = Path(self.directory) / "account", self.view["clusters"][0]["cluster"]
        path.mkdir()
        (path / "token").write_text(self.token)
        authorities = base64.b64decode(server.get("certificate-authority-data", ""))
        (path / "ca.crt").write_bytes(authorities or Path(certifi.where()).read_bytes())
        return path

    @property
    def token(self) -> str:
        return str(self.view["users"][0]["user"]["token"])


def _reference(owner: Manifest) -> Manifest:
    named = {key: owner["metadata"][key] for key in ("name", "uid")}
    return {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "controller": True, **named}


def alert(pod: Manifest) -> bytes:
    """One that names a pod by its uid. No two have the same output: Talon takes those for one."""
    said = f"A shell was spawned in {pod['metadata']['uid']}"
    return json.dumps(cluster.alert_about(pod, output=said)).encode()


def until(check: Any, seconds: float, every: float = 0.005) -> bool:
    """Whether ``check`` became true in time."""
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            return False
        time.sleep(every)
    return True
