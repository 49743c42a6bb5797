"""The zip file of a function of Lambda, with all that it imports, and its variables."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Dict, List

from playbooks.deployment.engines import pushed
from playbooks.deployment.errors import DeploymentError, TooLarge
from playbooks.deployment.packaging.archive import import_of, package_files, zipped
from playbooks.deployment.packaging.dependencies import requirements
from playbooks.deployment.request.options import Options
from playbooks.deployment.request.request import Request

# The runtime. Source: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
PYTHON, MACHINE = "3.12", "x86_64"

# What Lambda takes. Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
LARGEST_KIB, LARGEST_UNPACKED = 50 * 1024, 250 * 1024 * 1024

# What reads kubeconfigs, of which a function has none.
_UNUSED = ("pyyaml",)

# What says where and when something was installed, which is another text each time.
_NOTES = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")

_PIP_OPTIONS = (
    *("--quiet", "--disable-pip-version-check", "--no-input", "--no-compile", "--no-deps"),
    *("--only-binary", ":all:", "--implementation", "cp"),
)

_MAIN = '''\
"""What Lambda calls: the playbook {playbook}."""

{imports}

environ = {environ}
handler = aws_lambda.handler({answered}, environ)
'''


def zip_file(request: Request) -> bytes:
    """The same bytes for the same request. Raises TooLarge where Lambda would not take it, and
    DeploymentError where pip fails."""
    files = {**installed(written(request)["requirements.txt"]), **own_files(request)}
    unpacked = sum(map(len, files.values()))
    if unpacked > LARGEST_UNPACKED:
        size, most = unpacked // 2**20, LARGEST_UNPACKED // 2**20
        raise TooLarge(f"the function has {size} MiB, and Lambda can hold {most}")
    return zipped(files, "the zip file of the function", "Lambda", LARGEST_KIB)


def pip(target: str, requirements: str) -> List[str]:
    """The command that downloads for the machine that the function runs on, whatever this one is:
    it has a glibc of 2.28 or later."""
    platforms = [f"manylinux{name}_{MACHINE}" for name in ("2014", "_2_17", "_2_28")]
    given = [word for platform in platforms for word in ("--platform", platform)]
    words = ["-m", "pip", "install", *_PIP_OPTIONS, "--python-version", PYTHON, *given]
    return ["python3", *words, "--target", target, "-r", requirements]


def installed(requirements: str) -> Dict[str, bytes]:
    """What the function installs, by path, the same for the same requirements. Raises
    DeploymentError with what pip says."""
    if not requirements:
        return {}
    with tempfile.TemporaryDirectory() as directory:
        listed, target = Path(directory, "requirements.txt"), Path(directory, "packages")
        listed.write_text(requirements, "utf-8")
        _, *words = pip(str(target), str(listed))
        done = subprocess.run(
            [sys.executable, *words],
            capture_output=True,
            text=True,
            check=False,
            # Also where this machine's pip may install into environments only.
            env={**os.environ, "PIP_REQUIRE_VIRTUALENV": "0"},
        )
        if done.returncode:
            raise DeploymentError(f"pip failed with exit code {done.returncode}: {done.stderr}")
        return {
            path.relative_to(target).as_posix(): path.read_bytes()
            for path in target.rglob("*")
            if path.is_file() and not _left_out(path.relative_to(target))
        }


def _left_out(path: Path) -> bool:
    """Also programs, whose first line names this machine's Python."""
    noted = path.parent.suffix == ".dist-info" and path.name in _NOTES
    return noted or path.parts[0] == "bin" or path.suffix == ".pyc"


def own_files(request: Request) -> Dict[str, bytes]:
    """Those that nobody else made, by path."""
    modules = ["engines/aws_lambda"]
    if request.playbook.permissions:
        modules.append("infrastructure/amazon/cluster")
    if request.references:
        modules.append("infrastructure/amazon/secrets_manager")
    runs = request.playbook.runs(request.values)
    found = package_files(request.playbook.name, modules, runs=runs)
    return {**found, "main.py": written(request)["main.py"].encode()}


def written(request: Request) -> Dict[str, str]:
    """The two that are made for this request, by path."""
    playbook = request.playbook
    packages = [name for name in playbook.installs(request.values) if name not in _UNUSED]
    if request.references:
        packages.append("urllib3")
    return {"main.py": _main(request), "requirements.txt": requirements(packages)}


def variables(request: Request, options: Options) -> Dict[str, str]:
    """Those of the function. What is a secret is not among them."""
    found = pushed.variables(request, pushed.namespace_of(options))
    return {name: text for name, text in found.items() if name not in request.secrets}


def _main(request: Request) -> str:
    name = request.playbook.name
    answered, environ = "playbook", "os.environ"
    imports = ["from playbooks.engines import aws_lambda", import_of(name)]
    if request.playbook.permissions:
        imports.append("from playbooks.infrastructure.amazon.cluster import on_cluster")
        answered = "on_cluster(playbook, environ)"
    if request.references:
        imports.append("from playbooks.infrastructure.amazon.secrets_manager import with_secrets")
        wanted = {each.name: (each.secret, each.key) for each in request.references}
        environ = f"with_secrets({wanted!r})"
    else:
        imports.append("import os")
    imports.sort(key=lambda line: (line[:6] == "from p", line))
    return _MAIN.format(
        playbook=name, imports="\n".join(imports), environ=environ, answered=answered
    )
