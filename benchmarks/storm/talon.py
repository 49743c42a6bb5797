"""Falco Talon, where ``FALCO_TALON`` names its binary, in a network namespace of its own: the NATS
server inside it opens port 4222 on every address. That takes root and iproute2."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import shutil
import subprocess
from pathlib import Path
from typing import Any, Dict, Optional, Sequence

import yaml

from benchmarks.storm.ground import Ground, until
from benchmarks.storm.tap import Tap

PORT = 2803
READY = 30.0

CONFIGURATION: Dict[str, Any] = {
    "listen_port": str(PORT),
    "log_format": "json",
    "watch_rules": False,
    "print_all_events": False,
    "deduplication": {"leader_election": False, "time_window_seconds": 5},
    "default_notifiers": [],
}
# What the delete playbook does: any pod, a grace period of a second.
RULES = [
    {
        "action": "Delete the pod",
        "actionner": "kubernetes:terminate",
        "parameters": {"grace_period_seconds": 1, "ignore_standalone_pods": False},
    },
    {
        "rule": "Terminal shell in container",
        "match": {"rules": ["Terminal shell in container"]},
        "actions": [{"action": "Delete the pod"}],
    },
]


class Skipped(Exception):
    """Why it cannot run here."""


class Network:
    """A namespace and a pair of interfaces between it and this one."""

    def __init__(self) -> None:
        number = secrets.randbelow(2**14) * 4
        base = f"169.254.{number // 256}"
        self.name = f"bench-{number:05d}"
        self.near, self.far = f"{base}.{number % 256 + 1}", f"{base}.{number % 256 + 2}"

    def begin(self) -> None:
        inside, outside = f"{self.name}i", f"{self.name}o"
        for words in (
            f"netns add {self.name}",
            f"link add {outside} type veth peer name {inside} netns {self.name}",
            f"addr add {self.near}/30 dev {outside}",
            f"link set {outside} up",
            f"-n {self.name} link set lo up",
            f"-n {self.name} addr add {self.far}/30 dev {inside}",
            f"-n {self.name} link set {inside} up",
        ):
            done = subprocess.run(["ip", *words.split()], capture_output=True, text=True)
            if done.returncode:
                raise Skipped(f"ip {words}: {done.stderr.strip()}")

    def end(self) -> None:
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True, check=False)


class Talon:
    name = "Falco Talon"

    def __init__(self, ground: Ground) -> None:
        self._binary = os.environ.get("FALCO_TALON", "")
        if not self._binary:
            raise Skipped("FALCO_TALON names no binary")
        if not Path(self._binary).is_file() or not shutil.which("ip"):
            raise Skipped(f"{self._binary} or the ip command is not there")
        self._directory = Path(ground.directory) / "talon"
        self._ground = ground
        self._network = Network()
        self._process: Optional[subprocess.Popen[bytes]] = None
        self._connection: Optional[http.client.HTTPConnection] = None

    def begin(self) -> None:
        """Raises Skipped. Whatever it made, ``close`` removes."""
        self._network.begin()
        self._directory.mkdir()
        self.tap = Tap(self._ground.api_server, self._network.near)
        self._write(self._ground.kubeconfig_at("talon-kubeconfig", self.tap.address))

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self, *, tapped: bool = False) -> None:  # noqa: ARG002
        """Always through the tap: an API server need not listen on the pair's address."""
        inside = ["ip", "netns", "exec", self._network.name]
        with (self._directory / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [*inside, self._binary, "server", "-c", "config.yaml"],
                cwd=self._directory,
                # No other: its variables, KUBECONFIG among them, go before its configuration.
                env={"PATH": os.environ["PATH"], "TMPDIR": str(self._directory)},
                stdout=log,
                stderr=log,
            )
        if not until(self._healthy, READY):
            raise RuntimeError(f"Talon is not ready:\n{(self._directory / 'log').read_text()}")
        self._connection = http.client.HTTPConnection(self._network.far, PORT, timeout=30)

    def send(self, alerts: Sequence[bytes]) -> None:
        for body in alerts:
            answer = self._post(body)
            if answer.status != 200:
                raise RuntimeError(f"Talon answers {answer.status}")

    def _post(self, body: bytes) -> http.client.HTTPResponse:
        assert self._connection is not None
        try:
            self._connection.request("POST", "/", body, {"Content-Type": "application/json"})
            answer = self._connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            said = (self._directory / "log").read_text(errors="replace").splitlines()[-5:]
            words = "\n".join([f"it does not answer ({error!r}), and its log ends", *said])
            raise Skipped(words) from error
        return answer

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(10)

    def close(self) -> None:
        self.stop()
        if hasattr(self, "tap"):
            self.tap.close()
        self._network.end()

    def _write(self, kubeconfig: Path) -> None:
        rules = self._directory / "rules.yaml"
        rules.write_text(yaml.safe_dump(RULES))
        chosen = {**CONFIGURATION, "rules_files": [str(rules)], "kubeconfig": str(kubeconfig)}
        (self._directory / "config.yaml").write_text(yaml.safe_dump(chosen))

    def _healthy(self) -> bool:
        asking = http.client.HTTPConnection(self._network.far, PORT, timeout=2)
        with contextlib.closing(asking), contextlib.suppress(OSError):
            asking.request("GET", "/healthz")
            return bool(json.loads(asking.getresponse().read())["status"] == "ok")
        return False
