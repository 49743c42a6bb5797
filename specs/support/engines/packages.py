"""What each engine's function is made of, as it is deployed: one row of ``PACKAGES`` an engine."""

from __future__ import annotations

import io
import json
import os
import sys
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Dict, List, Mapping, Tuple

from playbooks.deployment.engines import gcf, openfaas
from playbooks.deployment.engines.knative import PROGRAM
from playbooks.deployment.packaging.archive import archive, package_files
from specs.support.engines.cloud_function import asked
from specs.support.engines.lambda_function import CLUSTER, own_files
from specs.support.engines.lambda_function import asked as asked_of_lambda
from specs.support.engines.openfaas_function import asked as asked_of_openfaas
from specs.support.loopback.google_cloud import NAME
from specs.support.processes import run

Files = Mapping[str, bytes]

# Of when this was loaded: specs that run beside what is asked ahead change theirs.
_PATH = os.environ["PATH"]


@dataclass(frozen=True)
class Package:
    """``module``: what its engine imports first. ``sdk``: the engine's own program, which is there
    in any case; empty where there is none. ``installed``: the top-level modules, beside the
    standard library, ours and the SDK's, that are imported by then. ``needs``: a module without
    which it cannot be tried."""

    engine: str
    files: Callable[[], Files]
    module: str
    installed: Tuple[str, ...]
    sdk: str = ""
    environ: Mapping[str, str] = field(default_factory=dict)

    def written(self, directory: str) -> None:
        for name, content in self.files().items():
            path = Path(directory, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def kib(self) -> float:
        """Compressed, without what it installs."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
            for name, content in self.files().items():
                packed.writestr(name, content)
        return buffer.tell() / 1024


def _unpacked(content: bytes) -> Files:
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def _cloud_function() -> Files:
    request, options = asked("-e", f"KUBECONFIG_SECRET={NAME}")
    return gcf.ENGINE.files(request, options)


def _openfaas_function() -> Files:
    """As the template has them: its package ``function``."""
    request, _ = asked_of_openfaas()
    files = {**openfaas.ENGINE.files(request), "__init__.py": b""}
    return {f"function/{name}": content for name, content in files.items()}


def _lambda() -> Files:
    return own_files(asked_of_lambda(*CLUSTER)[0])


PACKAGES: Tuple[Package, ...] = (
    Package("kubeless", lambda: _unpacked(archive("delete")), "delete", ("urllib3",)),
    Package(
        "gcf",
        _cloud_function,
        "main",
        ("google.auth", "urllib3"),
        sdk="functions_framework",
        environ={"KUBECONFIG_SECRET": NAME},
    ),
    Package(
        "knative",
        lambda: package_files("delete", PROGRAM),
        "playbooks.engines.knative.service",
        ("h11",),
        environ={"PLAYBOOK": "delete"},
    ),
    Package("openfaas", _openfaas_function, "function.handler", ("urllib3",), sdk="flask"),
    Package(
        "lambda",
        _lambda,
        "main",
        # All but urllib3 are of Lambda's runtime: botocore, and what that imports.
        ("botocore", "certifi", "dateutil", "six", "urllib3"),
        sdk="awslambdaric",
        environ={"EKS_CLUSTER": "prod"},
    ),
)

_IMPORTED = """\
import sys, time
sys.path.insert(0, sys.argv[1])
for name in sys.argv[2].split():
    __import__(name)
before = set(sys.modules)
begun = time.perf_counter()
for name in sys.argv[3:]:
    __import__(name)
seconds = time.perf_counter() - begun
import json, sysconfig
paths = (sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))
def top(name):
    # Of a namespace that packages share, the package.
    parts = name.split(".")
    return ".".join(parts[: 2 if parts[0] == "google" else 1])

def installed(names):
    return {
        top(name)
        for name in names
        if str(getattr(sys.modules[name], "__file__", None) or "").startswith(paths)
    }

found = installed(list(sys.modules)) - installed(before)
print(json.dumps({"installed": sorted(found), "seconds": seconds, "all": len(sys.modules)}))
"""


def imported(
    directory: str, modules: List[str], environ: Mapping[str, str], *, sdk: str = ""
) -> Dict[str, object]:
    """What a new process has imported after these modules, and the seconds that it took, both
    beside what ``sdk`` imports, which is there before."""
    environ = {"PATH": _PATH, "PYTHONDONTWRITEBYTECODE": "1", **environ}
    words = [sys.executable, "-c", _IMPORTED, directory, sdk, *modules]
    done = run(words, Path(directory), environ)
    if done.returncode:
        raise AssertionError(done.stderr)
    found: Dict[str, object] = json.loads(done.stdout)
    return found
