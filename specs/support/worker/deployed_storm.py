"""A storm that the pods of a deployed worker weather."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from pathlib import Path
from typing import Any, Dict, List

from specs.support.cluster import real_cluster as cluster
from specs.support.cluster.engines import IMAGE
from specs.support.programs import deploy_playbook, succeeded
from specs.support.worker.storm import TOPIC, Storm
from specs.support.worker.worker_on_cluster import FUNCTION, NO_CAPS, outcomes_in


class DeployedStorm(Storm):
    """Two replicas, as ``deploy_playbook`` makes them. What they say outlives them."""

    def __init__(self) -> None:
        super().__init__(address=cluster.node_address())

    def admit(self) -> None:
        self._logs = _Logs(self.namespace, Path(self.directory))
        self._logs.start()
        # So slow that there is time for rollouts.
        self.deploy(MAX_API_QPS="3")

    def deploy(self, **settings: str) -> None:
        """Returns when the rollout is over."""
        given = {"NATS_URL": self.nats.url, "VERIFY_AFTER": "off", **NO_CAPS, **settings}
        words = [word for name, value in given.items() for word in ("-e", f"{name}={value}")]
        place = ("-n", self.namespace, "-p", "delete", "-t", TOPIC)
        succeeded(deploy_playbook(*place, "-E", "kubernetes", "-i", IMAGE, "-R", "2", *words))

    @property
    def outcomes(self) -> List[Dict[str, Any]]:
        return [line for lines in self.by_pod().values() for line in lines]

    def by_pod(self) -> Dict[str, List[Dict[str, Any]]]:
        """The outcomes of each worker there was."""
        return self._logs.outcomes()

    def acted(self, *workers: Any) -> List[str]:
        return [line["alert"]["uuid"] for line in self.outcomes if line["status"] == "acted"]

    def end(self) -> None:
        deploy_playbook("-n", self.namespace, "-p", "delete", "-x")
        if hasattr(self, "_logs"):
            self._logs.stop()
        super().end()


class _Logs(threading.Thread):
    """Follows the log of every worker from its beginning to its end."""

    def __init__(self, namespace: str, directory: Path) -> None:
        super().__init__(daemon=True)
        self._namespace, self._directory = namespace, directory
        self._following: Dict[str, subprocess.Popen[bytes]] = {}
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(0.3):
            with contextlib.suppress(AssertionError):
                for name in self._pods():
                    known = self._following.get(name)
                    # One whose container has not started yet is asked again.
                    if known is None or known.poll():
                        self._following[name] = self._follow(name)

    def outcomes(self) -> Dict[str, List[Dict[str, Any]]]:
        paths = self._directory.glob("pod-*")
        return {path.name: outcomes_in(path.read_text(encoding="utf-8")) for path in paths}

    def stop(self) -> None:
        self._over.set()
        self.join(10)
        for process in self._following.values():
            process.kill()
            process.wait(10)

    def _pods(self) -> List[str]:
        found = cluster.kubectl(
            "get", "pods", "-n", self._namespace, "-l", f"function={FUNCTION}", "-o", "name"
        )
        return [line.rpartition("/")[2] for line in found.split()]

    def _follow(self, name: str) -> subprocess.Popen[bytes]:
        with (self._directory / f"pod-{name}").open("wb") as log:
            return subprocess.Popen(
                ["kubectl", "logs", "-f", "-n", self._namespace, name],
                stdout=log,
                stderr=subprocess.DEVNULL,
            )
