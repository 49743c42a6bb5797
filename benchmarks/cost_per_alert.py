"""What one alert costs on Kubeless: ``python benchmarks/cost_per_alert.py [RUNS]``.

Prints, for each playbook that acts on a cluster, the API calls of one alert and the time from the
call of the function to its first API request, in a process forked from a warm one as Kubeless'
Python runtime does, beside a handler that sends one bare request and nothing else. Then the cold
start: importing the playbook, beside merely importing the Kubernetes client. Times are medians of
runs taken in turn, in one go on one machine: quote the ratios.

The API here is a small HTTP server of this process, without TLS: what is measured is our side.
"""

from __future__ import annotations

import http.client
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Dict, List, Tuple

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
os.environ["PYTHONPATH"] = str(ROOT)

from playbooks.testing import a_document, a_node, a_pod  # noqa: E402

POD = a_pod(owner="ReplicaSet/web").manifest
ALERT = a_document(
    output_fields={
        "k8s.ns.name": "shop",
        "k8s.pod.name": "web-0",
        "container.id": POD["status"]["containerStatuses"][0]["containerID"][-64:][:12],
    }
)
ANSWERS = {
    "/pods/": POD,
    "/nodes/": a_node().manifest,
    "/replicasets/": {"spec": {"selector": {"matchLabels": {"app": "web"}}}},
}


class Api(BaseHTTPRequestHandler):
    """Answers what the reactions ask, and notes when."""

    protocol_version = "HTTP/1.1"
    requests: List[Tuple[float, str]] = []

    def answer(self) -> None:
        Api.requests.append((time.monotonic(), f"{self.command} {self.path}"))
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        found = next((body for part, body in ANSWERS.items() if part in self.path), {"items": []})
        body = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = answer

    def log_message(self, *_: Any) -> None:
        pass


def call(playbook: str) -> None:
    """What a child of Kubeless' runtime does with one alert."""
    import importlib

    sys.stderr = open(os.devnull, "w")
    handler = importlib.import_module(f"playbooks.{playbook}").handler
    handler({"data": ALERT}, {"timeout": 180.0})


def bare_request(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/")
    connection.getresponse().read()


def measured(context: Any, target: Any, argument: Any) -> Tuple[float, List[str]]:
    """Milliseconds from the start of the process to its first request, and all its requests."""
    Api.requests.clear()
    process = context.Process(target=target, args=(argument,))
    started = time.monotonic()
    process.start()
    process.join()
    return (Api.requests[0][0] - started) * 1000, [request for _, request in Api.requests]


def warm(runs: int, port: int) -> None:
    context = multiprocessing.get_context("forkserver")
    playbooks = ["delete", "taint", "isolate"]
    context.set_forkserver_preload([f"playbooks.{name}" for name in playbooks])
    bare: List[float] = []
    times: Dict[str, List[float]] = {name: [] for name in playbooks}
    calls: Dict[str, List[str]] = {}
    measured(context, bare_request, port)
    for _ in range(runs):
        bare.append(measured(context, bare_request, port)[0])
        for name in playbooks:
            milliseconds, calls[name] = measured(context, call, name)
            times[name].append(milliseconds)
    base = statistics.median(bare)
    print(f"{'warm process':24}{'API calls':>10}{'to first request':>18}{'ratio':>8}")
    print(f"{'a bare request':24}{1:>10}{base:>15.1f} ms{1:>8.2f}")
    for name in playbooks:
        median = statistics.median(times[name])
        print(f"{name:24}{len(calls[name]):>10}{median:>15.1f} ms{median / base:>8.2f}")


def cold(runs: int) -> None:
    programs = {
        "import kubernetes": "import kubernetes",
        "import playbooks.delete": "import playbooks.delete",
        "import playbooks.slack": "import playbooks.slack",
    }
    times: Dict[str, List[float]] = {name: [] for name in programs}
    for _ in range(runs):
        for name, program in programs.items():
            started = time.monotonic()
            subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)
            times[name].append((time.monotonic() - started) * 1000)
    base = statistics.median(times["import kubernetes"])
    print(f"\n{'cold start':34}{'median':>15}{'ratio':>11}")
    for name, taken in times.items():
        median = statistics.median(taken)
        print(f"{name:34}{median:>12.0f} ms{median / base:>11.2f}")


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_port
    with tempfile.TemporaryDirectory() as directory:
        kubeconfig = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "b", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
            "users": [{"name": "b", "user": {}}],
            "contexts": [{"name": "b", "context": {"cluster": "b", "user": "b"}}],
            "current-context": "b",
        }
        path = Path(directory, "kubeconfig")
        path.write_text(json.dumps(kubeconfig), encoding="utf-8")
        os.environ.update(KUBECONFIG=str(path), KUBERNETES_LOAD_KUBE_CONFIG="1")
        warm(runs, port)
    cold(runs)


if __name__ == "__main__":
    main()
