"""What a function costs on each engine: ``python benchmarks/functions.py [RUNS]``.

Prints, for the playbook delete on each engine, the size of what is deployed, the modules and the
time of importing it beside merely importing the engine's own SDK; then the time from the start of
its server to the first outcome, and the time of each further one. Times are the best of runs
taken in turn, in one go on one machine: quote the ratios.

The API server is a small HTTPS server of this process that knows no pod, so that an alert costs the
reads of a skipped one: what is measured is our side.
"""

from __future__ import annotations

import base64
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Tuple

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from specs.support.engines.callers import EVENT, posted  # noqa: E402
from specs.support.engines.cloud_function import CloudFunction  # noqa: E402
from specs.support.engines.lambda_function import CLUSTER, LambdaFunction  # noqa: E402
from specs.support.engines.openfaas_function import OPENFAAS_TEMPLATE, OpenFaasFunction  # noqa: E402
from specs.support.engines.packages import PACKAGES, Package, imported  # noqa: E402
from specs.support.engines.process import KnativeFunction, a_fresh_alert  # noqa: E402
from specs.support.loopback.aws_cloud import KEYS, REGION  # noqa: E402
from specs.support.loopback.certificates import a_certificate, an_authority  # noqa: E402
from specs.support.loopback.google_cloud import NAME, GoogleCloud  # noqa: E402
from specs.support.loopback.kubeconfigs import Kubeconfigs  # noqa: E402
from specs.support.loopback.server import Answer, LoopbackServer, nothing_there  # noqa: E402

FURTHER = 50


class Ground:
    """The API server, and the kubeconfig that leads to it."""

    def __init__(self) -> None:
        authority = an_authority()
        self.server = LoopbackServer(a_certificate(authority, "127.0.0.1"), answer=nothing_there)
        described = {"endpoint": self.server.url}
        described["certificateAuthority"] = {"data": base64.b64encode(authority.pem).decode()}
        self.eks = LoopbackServer(answer=lambda _: Answer(200, {"cluster": described}))
        self.kubeconfig = Kubeconfigs(self.server, authority).text()
        self.directory = tempfile.TemporaryDirectory()
        path = Path(self.directory.name, "config")
        path.write_text(self.kubeconfig)
        self.environ = {"KUBERNETES_LOAD_KUBE_CONFIG": "1", "KUBECONFIG": str(path)}


Ask = Callable[[bytes], Any]


# Kubeless' server of processes: small, as whatever it has imported each process gets.
_KUBELESS = """\
import sys
from pathlib import Path
from specs.engines.kubeless_process import Processes
processes = Processes("delete", timeout=30.0, log=Path(sys.argv[1]))
processes.warm_up()
for line in sys.stdin:
    print(processes.call(line.encode()).reason, flush=True)
"""


@contextmanager
def kubeless(ground: Ground, package: Package) -> Iterator[Ask]:
    """A process for each alert, forked from one that has imported the function."""
    with tempfile.TemporaryDirectory() as directory:
        package.written(directory)
        path = f"{directory}:{ROOT}"
        process = subprocess.Popen(
            [sys.executable, "-c", _KUBELESS, f"{directory}/log"],
            cwd=directory,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": path, **ground.environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert process.stdin and process.stdout
        asked, answered = process.stdin, process.stdout

        def ask(body: bytes) -> bytes:
            asked.write(body + b"\n")
            asked.flush()
            return answered.readline()

        try:
            yield ask
        finally:
            asked.close()
            process.wait(30)


@contextmanager
def cloud_function(ground: Ground, _package: Package) -> Iterator[Ask]:
    cloud = GoogleCloud()
    cloud.secrets[NAME] = ground.kubeconfig
    try:
        with CloudFunction("-e", f"KUBECONFIG_SECRET={NAME}", environ=cloud.environ) as function:
            yield function.post
    finally:
        cloud.stop()


@contextmanager
def knative(ground: Ground, _package: Package) -> Iterator[Ask]:
    with KnativeFunction(ground.environ) as function:
        yield lambda body: posted(function.url, body, **EVENT)


@contextmanager
def openfaas(ground: Ground, _package: Package) -> Iterator[Ask]:
    """Without OpenFaaS' gateway and watchdog."""
    words = ("-s", "KUBECONFIG=k/k")
    with OpenFaasFunction(*words, environ=ground.environ) as function:
        yield function.post


@contextmanager
def aws_lambda(ground: Ground, _package: Package) -> Iterator[Ask]:
    """By its own runtime; EKS is asked for the cluster."""
    environ = {**KEYS, "AWS_REGION": REGION, "AWS_ENDPOINT_URL": ground.eks.url}
    with LambdaFunction(*CLUSTER, environ=environ) as function:
        yield function.invoke


SERVED: Dict[str, Callable[[Ground, Package], Any]] = {
    "kubeless": kubeless,
    "gcf": cloud_function,
    "knative": knative,
    **({"openfaas": openfaas} if OPENFAAS_TEMPLATE.holds else {}),
    "lambda": aws_lambda,
}


def answers(ground: Ground, package: Package) -> Tuple[float, List[float]]:
    """Seconds to the first outcome, and of each further one."""
    begun = time.perf_counter()
    with SERVED[package.engine](ground, package) as ask:
        ask(json.dumps(a_fresh_alert()).encode())
        first = time.perf_counter() - begun
        further = []
        for _ in range(FURTHER):
            begun = time.perf_counter()
            ask(json.dumps(a_fresh_alert()).encode())
            further.append(time.perf_counter() - begun)
    return first, further


def imports(package: Package, runs: int) -> Tuple[float, float, int, int]:
    """Seconds and modules of the function, and of its SDK alone."""
    with tempfile.TemporaryDirectory() as directory:
        package.written(directory)
        sdk = [package.sdk] if package.sdk else []
        whole, alone = [], []
        for _ in range(runs):
            whole.append(imported(directory, [package.module], package.environ))
            alone.append(imported(directory, sdk, {}))
    seconds = [min(float(str(each["seconds"])) for each in taken) for taken in (whole, alone)]
    return seconds[0], seconds[1], int(str(whole[0]["all"])), int(str(alone[0]["all"]))


def main(runs: int) -> None:
    ground = Ground()
    head = ("engine", "KiB", "import ms", "SDK ms", "modules", "SDK's", "cold ms", "warm ms")
    print("".join(f"{cell:>12}" for cell in head))
    for package in PACKAGES:
        if package.engine not in SERVED or (package.sdk and find_spec(package.sdk) is None):
            print(f"{package.engine:>12}   not run")
            continue
        whole, alone, modules, of_sdk = imports(package, runs)
        taken = [answers(ground, package) for _ in range(runs)]
        cold = min(first for first, _ in taken)
        warm = min(statistics.median(further) for _, further in taken)
        cells = [
            package.engine,
            f"{package.kib():.0f}",
            *(f"{seconds * 1000:.0f}" for seconds in (whole, alone)),
            str(modules),
            str(of_sdk),
            f"{cold * 1000:.0f}",
            f"{warm * 1000:.1f}",
        ]
        print("".join(f"{cell:>12}" for cell in cells), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
