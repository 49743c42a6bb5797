"""A directory with kubeconfig files, and what our client makes of them."""

from __future__ import annotations

import base64
import json
import stat
import tempfile
from pathlib import Path
from typing import Any, Dict, Optional

from playbooks.core.errors import NoCluster, PlaybookError
from playbooks.infrastructure.kubernetes.api import KubernetesApi
from playbooks.infrastructure.kubernetes.connect import TargetCluster, as_kubectl
from specs.support.loopback.certificates import Certificate
from specs.support.loopback.server import LoopbackServer


class Kubeconfigs:
    """``environ``: what a program sees of the environment."""

    def __init__(self, server: Optional[LoopbackServer] = None, by: Optional[Certificate] = None):
        self._directory = tempfile.TemporaryDirectory()
        self.path = Path(self._directory.name)
        self.environ: Dict[str, str] = {"HOME": self._directory.name, "PATH": "/usr/bin:/bin"}
        self._server = server
        self._url = server.url if server else "https://198.18.7.7:6443"
        self._authority = base64.b64encode(by.pem).decode() if by else ""

    def clean(self) -> None:
        self._directory.cleanup()

    def cluster(self, **values: Any) -> Dict[str, Any]:
        """That of the server. Keys with ``_`` for ``-``; None takes one away."""
        trusted = {"certificate-authority-data": self._authority} if self._authority else {}
        given = {key.replace("_", "-"): value for key, value in values.items()}
        return {k: v for k, v in {"server": self._url, **trusted, **given}.items() if v}

    def file(self, name: str, text: str) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def program(self, name: str, text: str) -> Path:
        path = self.file(name, f"#!/bin/sh\n{text}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    def config(
        self,
        name: str = "config",
        *,
        cluster: Optional[Dict[str, Any]] = None,
        user: Optional[Dict[str, Any]] = None,
        context: str = "here",
        current: Optional[str] = None,
        namespace: str = "shop",
    ) -> str:
        """The path of a kubeconfig with one context, which KUBECONFIG names from now on."""
        chosen = {"cluster": f"c-{context}", "user": f"u-{context}", "namespace": namespace}
        document = {
            "current-context": context if current is None else current,
            "clusters": [{"name": f"c-{context}", "cluster": cluster or self.cluster()}],
            "users": [{"name": f"u-{context}", "user": {"token": "t"} if user is None else user}],
            "contexts": [{"name": context, "context": chosen}],
        }
        path = str(self.file(name, json.dumps(document)))
        self.environ["KUBECONFIG"] = path
        return path

    def text(self) -> str:
        """Of a kubeconfig with one context."""
        return Path(self.config()).read_text()

    def target(self, context: str = "") -> TargetCluster:
        return as_kubectl(self.environ, context)

    def api(self) -> KubernetesApi:
        return KubernetesApi(connect=self.target().connect)

    def refusal(self) -> str:
        """What is said of the kubeconfig, without asking the server."""
        assert self._server
        self._server.asked.clear()
        error = self.call()
        assert isinstance(error, NoCluster), error
        assert not self._server.asked, self._server.asked
        return str(error)

    def call(self, *path: str) -> Any:
        """What a call of the API gives, or the error that it raises."""
        try:
            return self.api().get(*(path or ("version",)))
        except PlaybookError as error:
            return error
