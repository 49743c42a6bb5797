"""What the worker's specs run it with: a fake cluster, and workers as processes."""

from __future__ import annotations

import datetime
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Dict, List, Optional

from specs.support.processes import ROOT, LoggedProcess, eventually, free_port

UID = "5b0c2f6e-9d3a-4a52-8f0b-2f2d3f6f4c11"
RELEASE_KEY = "a-key-of-releases"
TOKEN = "a-token-of-the-specs"


def moment(seconds_ago: float = 0.0) -> str:
    """As the API writes times."""
    now = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=seconds_ago)
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")


def alerts(count: int, rule: str = "ok", subject: str = "falco.error.x", prefix: str = "n") -> Any:
    """Subjects and bodies, and the names in them."""
    names = [f"{prefix}{number}" for number in range(count)]
    return [(subject, an_alert(name, rule)) for name in names], names


def an_alert(name: str, rule: str = "ok", priority: str = "Error") -> bytes:
    """``name`` is what the reaction writes down when it acts."""
    return json.dumps(
        {"rule": rule, "priority": priority, "time": moment()[:-1] + ".000000000Z", "output": name}
    ).encode()


def about(pod: str, uid: str, namespace: str = "shop", priority: str = "Error") -> bytes:
    """An alert about a pod that its uid proves."""
    fields = {"k8s.ns.name": namespace, "k8s.pod.name": pod, "k8s.pod.uid": uid}
    alert = json.loads(an_alert(pod, "Shell", priority))
    return json.dumps({**alert, "source": "syscall", "output_fields": fields}).encode()


def a_trigger(topic: str, name: str = "", *, created: str = "", **metadata: Any) -> Dict[str, Any]:
    return {
        "metadata": {
            "name": name or f"t-{abs(hash(topic))}",
            "namespace": "specs",
            "creationTimestamp": created or moment(),
            "resourceVersion": "1",
            **metadata,
        },
        "spec": {
            "topic": topic,
            "functionSelector": {"matchLabels": {"function": "falco-fake"}},
        },
    }


class Rig:
    """A fake cluster in a directory, and the workers that run on it."""

    def __init__(self, url: str, **settings: str) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="worker-spec-"))
        self.url = url
        self.settings = settings
        self.workers: List[WorkerProcess] = []
        self.triggers: List[Dict[str, Any]] = []
        self.function: Any = {
            "metadata": {
                "name": "falco-fake",
                "namespace": "specs",
                "uid": UID,
                "creationTimestamp": moment(3600),
                "labels": {"created-by": "kubeless", "function": "falco-fake"},
            }
        }
        self.serve()

    def serve(self, *triggers: Any) -> None:
        """From now on these are the triggers: topics, or whole manifests."""
        self.triggers = [a_trigger(t) if isinstance(t, str) else t for t in triggers]
        document = json.dumps({"function": self.function, "triggers": self.triggers})
        temporary = self.directory / "new"
        temporary.write_text(document)
        temporary.rename(self.directory / "cluster.json")

    def away(self, away: bool) -> None:
        path = self.directory / "away"
        if away:
            path.touch()
        else:
            path.unlink()

    def refuse(self, refuse: bool) -> None:
        """Whether the API server knows the worker's account no more."""
        path = self.directory / "refused"
        if refuse:
            path.touch()
        else:
            path.unlink()

    def start(self, module: str = "child", **settings: str) -> WorkerProcess:
        worker = WorkerProcess(self, {**self.settings, **settings}, module)
        self.workers.append(worker)
        return worker

    def lines(self, name: str) -> List[str]:
        path = self.directory / name
        return path.read_text().splitlines() if path.exists() else []

    @property
    def actions(self) -> List[str]:
        return self.lines("actions")

    def acted(self, *names: str, seconds: float = 20.0) -> List[str]:
        """Wait until all of these were acted upon; every action there was."""
        eventually(lambda: set(names) <= set(self.actions), seconds)
        return self.actions

    def remove(self) -> None:
        for worker in self.workers:
            worker.kill()
        shutil.rmtree(self.directory, ignore_errors=True)


class WorkerProcess(LoggedProcess):
    def __init__(self, rig: Rig, settings: Dict[str, str], module: str = "child") -> None:
        self.port = free_port()
        self.probe_port = free_port()
        self.metrics_port = free_port()
        super().__init__(rig.directory / f"log-{self.port}")
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "WORKER_SPEC_DIRECTORY": str(rig.directory),
            "PLAYBOOK": "fake",
            "FUNCTION_NAME": "falco-fake",
            "FUNCTION_NAMESPACE": "specs",
            "NATS_URL": rig.url,
            "HTTP_HOST": "127.0.0.1",
            "HTTP_PORT": str(self.port),
            "PROBE_PORT": str(self.probe_port),
            "METRICS_PORT": str(self.metrics_port),
            "HTTP_TOKEN": TOKEN,
            "RELEASE_KEY": RELEASE_KEY,
            **settings,
        }
        words = (sys.executable, "-m", f"specs.engines.worker.{module}")
        self.launch(words, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)

    @property
    def outcomes(self) -> List[Dict[str, Any]]:
        lines = [json.loads(line) for line in self.log.splitlines() if line.startswith("{")]
        return [line for line in lines if "status" in line]

    def get(self, path: str) -> Any:
        """The status and the text."""
        return self.ask("GET", path)

    def post(self, body: bytes, token: Optional[str] = TOKEN, **headers: str) -> Any:
        allowed = {"Authorization": f"Bearer {token}"} if token else {}
        return self.ask("POST", "/", body, **allowed, **headers)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        url = f"http://127.0.0.1:{self.port}{path}"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(url, data=body, headers=named, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def probe(self, path: str = "/healthz") -> float:
        """The seconds that the kubelet would wait for its answer; raises where it is none."""
        begun = time.monotonic()
        url = f"http://127.0.0.1:{self.probe_port}{path}"
        with urllib.request.urlopen(url, timeout=5) as answer:
            answer.read()
        return time.monotonic() - begun

    def metric(self, name: str) -> float:
        """The value of a sample, 0 where there is none; ``name`` with its labels."""
        for line in self.get("/metrics")[1].splitlines():
            if line.startswith(name + " "):
                return float(line.rpartition(" ")[2])
        return 0.0

    def ready(self, seconds: float = 20.0) -> WorkerProcess:
        try:
            eventually(lambda: self.get("/readyz")[0] == 200, seconds)
        except AssertionError:
            raise AssertionError(f"it is not ready: {self.get('/readyz')}\n{self.log}") from None
        return self
