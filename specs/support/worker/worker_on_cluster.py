"""The worker on the real cluster: its own process on this machine, as the account that it would
have, behind a proxy that can take the API server away from it and from nobody else."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Dict, List, Mapping, Tuple

import yaml

from playbooks.core import catalogue
from playbooks.deployment.manifests import ledger, rbac
from playbooks.engines.worker import watched
from specs.deployment.mothers import a_worker_request
from specs.engines.worker.rig import TOKEN, WorkerProcess
from specs.support.cluster import real_cluster as cluster
from specs.support.loopback.nats_server import Nats
from specs.support.processes import ROOT, LoggedProcess, free_port

FUNCTION = "falco-delete"

# What a worker takes for its own pod: its Events are then its account's.
POD = f"{FUNCTION}-6d5f9-abcde"
IN_A_POD = {"KUBERNETES_SERVICE_HOST": "in-a-pod", "HOSTNAME": POD}

# For workers that are to delete many pods.
NO_CAPS = dict.fromkeys(("MAX_ACTIONS", "MAX_ACTIONS_ALL", "MAX_PER_OWNER"), "off")


class Proxy:
    """Passes connections on to the API server, unless it is cut."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._lock = threading.Lock()
        self._ends: List[socket.socket] = []
        self.port = free_port()
        self.restore()

    def restore(self) -> None:
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", self.port))
        listening.listen(64)
        self._listening = listening
        threading.Thread(target=self._accept, args=(listening,), daemon=True).start()

    def cut(self) -> None:
        """Nobody listens any more, and no connection is left."""
        with self._lock:
            ends, self._ends = self._ends, []
            for end in (self._listening, *ends):
                _shut(end)
            self._listening.close()
            for end in ends:
                end.close()

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                near, _ = listening.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(self._target, timeout=3)
            except OSError:
                near.close()
                continue
            with self._lock:
                # Cut meanwhile: the connection is too late.
                if listening.fileno() < 0:
                    near.close()
                    far.close()
                    return
                self._ends += [near, far]
            far.settimeout(None)
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._copy, args=(source, sink), daemon=True).start()

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                data = source.recv(65536)
                if not data:
                    break
                sink.sendall(data)
        _shut(sink)


def _shut(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


class Served:
    """A Function with a trigger in a namespace of its own, a NATS server, and room for workers.

    ``also``: how many more namespaces there are in which the workers may delete pods.
    ``address``: where NATS listens. ``events``: whether they may write Events about these.
    """

    playbook = "delete"
    # With which the playbook is deployed: some take rights of their own.
    settings: Mapping[str, str] = MappingProxyType({})

    def __init__(
        self, topic: str, *, also: int = 0, address: str = "127.0.0.1", events: bool = True
    ) -> None:
        self.topic = topic
        self.also = also
        self.address = address
        self.events = events
        self.workers: List[OnCluster] = []
        self.namespaces: List[str] = []
        self._elsewhere: List[Dict[str, Any]] = []

    def begin(self) -> None:
        self.directory = tempfile.mkdtemp(prefix="worker-spec-")
        cluster.kubeless_definitions()
        self.nats = Nats(address=self.address)
        for _ in range(1 + self.also):
            self.namespaces.append(cluster.a_namespace())
        self.namespace = self.namespaces[0]
        self.nats.start()
        self.admit()

    def admit(self) -> None:
        """What workers need before they can start."""
        cluster.create(*self._account())
        cluster.create(_function(self.namespace), trigger(self.namespace, self.topic))
        self.kubeconfig = self._kubeconfig()

    def start(self, **settings: str) -> OnCluster:
        """One more worker, without waiting for it."""
        worker = OnCluster(
            self.directory,
            KUBECONFIG=str(self.kubeconfig),
            FUNCTION_NAMESPACE=self.namespace,
            POD_NAMESPACE=self.namespace,
            NATS_URL=self.nats.url,
            PLAYBOOK=self.playbook,
            NAMESPACES=",".join(self.namespaces),
            **{**self.settings, **settings},
        )
        self.workers.append(worker)
        return worker

    def start_serving(self, **settings: str) -> OnCluster:
        """One more worker, once it takes alerts in."""
        worker = self.start(**settings)
        worker.ready().says(f"subscribed to {self.topic}")
        return worker

    @property
    def outcomes(self) -> List[Dict[str, Any]]:
        """Those of all workers there were."""
        return [line for worker in self.workers for line in worker.outcomes]

    def end(self) -> None:
        """As far as ``begin`` came."""
        for worker in self.workers:
            worker.kill()
        if hasattr(self, "proxy"):
            self.proxy.cut()
        if hasattr(self, "nats"):
            self.nats.remove()
        if hasattr(self, "directory"):
            shutil.rmtree(self.directory, ignore_errors=True)
        for namespace in self.namespaces:
            cluster.delete_namespace(namespace)
        for role in self._elsewhere:
            place = ("-n", role["metadata"].get("namespace", "default"))
            cluster.kubectl(
                "delete", role["kind"], role["metadata"]["name"], *place, "--ignore-not-found"
            )

    def _account(self) -> List[Dict[str, Any]]:
        """A service account with what deploy_playbook grants a worker, and the ledger."""
        request = replace(
            a_worker_request(),
            playbook=catalogue.load(self.playbook),
            function=FUNCTION,
            namespaces=tuple(self.namespaces),
            values={**self.settings, "NAMESPACES": ",".join(self.namespaces)},
        )
        worker = rbac.worker_role()
        binding = rbac.worker_binding(FUNCTION, self.namespace)
        name = {"name": f"worker-{self.namespace}"}
        roles = [
            {**worker, "metadata": name},
            {**binding, "roleRef": {**binding["roleRef"], **name}},
            *rbac.roles(request, self.namespace, partial(watched.permissions, request.playbook)),
        ]
        for role in roles:
            metadata = role["metadata"]
            # By these, deploy_playbook would take those of namespaces that are gone for orphans.
            metadata.pop("labels", None)
            if metadata.get("namespace") not in self.namespaces:
                self._elsewhere.append(role)
            if not self.events and "rules" in role:
                role["rules"] = [
                    rule for rule in role["rules"] if "events" not in rule["resources"]
                ]
        return [
            rbac.service_account(request, self.namespace),
            *ledger.ledger(request, self.namespace),
            *roles,
        ]

    def _kubeconfig(self) -> Path:
        """The current cluster behind the proxy, as the worker's account."""
        view = json.loads(
            cluster.kubectl("config", "view", "--raw", "--minify", "--flatten", "-o", "json")
        )
        server = view["clusters"][0]["cluster"]
        host, _, port = server["server"].partition("//")[2].rstrip("/").partition(":")
        self.proxy = Proxy(host, int(port or 443))
        server["server"] = f"https://127.0.0.1:{self.proxy.port}"
        if host != "127.0.0.1":
            server["tls-server-name"] = host
        view["users"][0]["user"] = {"token": cluster.token_of(FUNCTION, self.namespace)}
        path = Path(self.directory) / "kubeconfig"
        path.write_text(yaml.safe_dump(view))
        return path


class OnCluster(WorkerProcess):
    """The worker itself, as ``python -m playbooks.engines.worker``."""

    arguments: Tuple[str, ...] = ("-m", "playbooks.engines.worker")

    def __init__(self, directory: str, **settings: str) -> None:
        self.port = free_port()
        LoggedProcess.__init__(self, Path(directory) / f"log-{self.port}")
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "FUNCTION_NAME": FUNCTION,
            "HTTP_HOST": "127.0.0.1",
            "HTTP_PORT": str(self.port),
            "PROBE_PORT": "0",
            "METRICS_PORT": "0",
            "HTTP_TOKEN": TOKEN,
            "KUBERNETES_LOAD_KUBE_CONFIG": "1",
            # Where a spec is not about it, it would be one more record of each action.
            "VERIFY_AFTER": "off",
            **settings,
        }
        words = (sys.executable, *self.arguments)
        self.launch(words, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)

    @property
    def outcomes(self) -> List[Dict[str, Any]]:
        return outcomes_in(self.log)


def outcomes_in(log: str) -> List[Dict[str, Any]]:
    """Of whole lines only: the last one may be about to be written."""
    whole = log.split("\n")[:-1]
    lines = [json.loads(line) for line in whole if line.startswith("{")]
    return [line for line in lines if "status" in line]


def _function(namespace: str) -> Dict[str, Any]:
    return {
        "apiVersion": "kubeless.io/v1beta1",
        "kind": "Function",
        "metadata": {
            "name": FUNCTION,
            "namespace": namespace,
            "labels": {"created-by": "kubeless", "function": FUNCTION},
        },
        "spec": {},
    }


def trigger(namespace: str, topic: str, index: int = 0) -> Dict[str, Any]:
    """``kubeless trigger nats create`` makes the same object."""
    selector = {"matchLabels": {"created-by": "kubeless", "function": FUNCTION}}
    return {
        "apiVersion": "kubeless.io/v1beta1",
        "kind": "NATSTrigger",
        "metadata": {
            "name": f"{FUNCTION}-trigger-{index}",
            "namespace": namespace,
            "labels": {"created-by": "kubeless"},
        },
        "spec": {"topic": topic, "functionSelector": selector},
    }
