"""The zip file of a function of Lambda, with all that it imports, and its variables."""

from __future__ import annotations

from typing import Dict

from playbooks.deployment.errors import TooLarge
from playbooks.deployment.manifests import pushed
from playbooks.deployment.packaging import wheels
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

_MAIN = '''\
"""What Lambda calls: the playbook {playbook}."""

{imports}

environ = {environ}
handler = aws_lambda.handler({answered}, environ)
'''


def package(request: Request) -> bytes:
    """The same bytes for the same request. Raises TooLarge where Lambda would not take it, and
    DeploymentError where pip fails."""
    installed = wheels.installed(written(request)["requirements.txt"], PYTHON, MACHINE)
    files = {**installed, **own_files(request)}
    unpacked = sum(map(len, files.values()))
    if unpacked > LARGEST_UNPACKED:
        size, most = unpacked // 2**20, LARGEST_UNPACKED // 2**20
        raise TooLarge(f"the function has {size} MiB, and Lambda can hold {most}")
    return zipped(files, "the zip file of the function", "Lambda", LARGEST_KIB)


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
