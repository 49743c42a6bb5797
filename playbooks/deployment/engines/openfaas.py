"""``-E openfaas``: faas-cli builds a function of the template python3-http, and deploys it."""

from __future__ import annotations

import re
import shlex
import subprocess
import tempfile
from typing import Any, Dict, List

from playbooks.core.cluster.manifest import reference
from playbooks.core.settings import http_url
from playbooks.deployment.engines import pushed, tool
from playbooks.deployment.engines.applied import AppliedRights
from playbooks.deployment.engines.engine import IMAGE, Engine, Invocation, Option
from playbooks.deployment.errors import DeploymentError
from playbooks.deployment.manifests import rights
from playbooks.deployment.manifests.environment import escaped
from playbooks.deployment.manifests.worker_pod import resources
from playbooks.deployment.packaging.archive import import_of, package_files
from playbooks.deployment.packaging.dependencies import requirements
from playbooks.deployment.request.options import Options
from playbooks.deployment.request.request import Request
from playbooks.deployment.request.worker_settings import FileSetting
from playbooks.deployment.terminal import documents, print_messages, print_step
from playbooks.engines.openfaas import TOKEN
from playbooks.engines.pushed import TIMEOUT
from playbooks.infrastructure.kubernetes.connect import KUBECONFIG_VARIABLE

#: Where functions run unless -n says otherwise, and where their Secrets are.
NAMESPACE = "openfaas-fn"

# Of the template, the one whose packages are built for glibc.
TEMPLATE = "python3-http-debian"

# Where OpenFaaS mounts the keys of all Secrets of a function, as files.
# Source: https://docs.openfaas.com/reference/secrets
SECRETS = "/var/openfaas/secrets"

# An instance answers as many alerts at a time as the template's server has threads. The ledger
# holds for all of them.
LEAST, MOST = 1, 3

FAAS_CLI = tool.Program("faas-cli", "https://docs.openfaas.com/cli/install")

# Seconds beyond those of an alert in which an answer is written.
_SPARE = 5

# Variables of the template and its watchdog, and ours.
_RESERVED = re.compile(
    r"fprocess|mode|upstream_url|cgi_headers|(exec|read|write)_timeout|prefix_logs"
    r"|HOME|HOSTNAME|PATH|PYTHON.*|KUBERNETES_.*"
)

_HANDLER = '''\
"""What the template {template} calls: the playbook {playbook}."""

import os
import sys

# The template has this directory for the package "function".
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

{imported}
from playbooks.engines import openfaas

handle = openfaas.handler(playbook)
'''

GATEWAY = Option(
    "gateway",
    ("--gateway",),
    "with -E openfaas: the URL of its gateway; default: faas-cli's own ($OPENFAAS_URL)",
    "URL",
)

KUBECONFIG = FileSetting(
    "KUBECONFIG",
    str,
    "",
    "The kubeconfig with which a function acts that has no account of its own",
    secret=True,
)


class OpenFaas(Engine):
    name = "openfaas"
    summary = "a function of OpenFaaS, by faas-cli"
    settings = (TOKEN, KUBECONFIG)
    options = (IMAGE, GATEWAY)
    places = (GATEWAY,)

    def namespace(self, invocation: Invocation) -> str:
        return _namespace(invocation.options)

    def seen_by(self, function: str, namespace: str) -> str:
        return f"faas-cli describe {function} -n {namespace}"

    def problems(self, request: Request, options: Options) -> List[str]:
        image, gateway = options.own.get(IMAGE.name), options.own.get(GATEWAY.name)
        found = pushed.problems(request, _RESERVED, "OpenFaaS or deploy_playbook")
        if image is None or image.split() != [image]:
            said = "not given" if image is None else repr(image)
            found.append(f"-i is {said}, expected the name of the image to build and push")
        try:
            http_url(gateway or "http://a")
        except ValueError as error:
            found.append(f"--gateway is {gateway!r}, expected {error}")
        create = f"faas-cli secret create NAME --from-file=FILE -n {_namespace(options)}"
        kept = [KUBECONFIG.name] if KUBECONFIG.name in request.values else []
        found += pushed.not_kept(request, f"OpenFaaS ({create})", "NAME/NAME", also=kept)
        return found + pushed.no_files(request, "OpenFaaS") + _misplaced(request)

    def show(self, request: Request, invocation: Invocation) -> None:
        options = invocation.options
        print_messages("warning", _warnings(request))
        files = self.files(request)
        written = {n: files[n].decode() for n in ("handler.py", "requirements.txt")}
        shown = {f"{request.function}/{name}": text for name, text in written.items()}
        tool.print_files({**shown, "stack.yaml": _yaml(self.stack(request, options))})
        for words in _commands(options):
            print(tool.shown(words))
        if request.playbook.permissions:
            print("\n# before, in the cluster: kubectl apply -f -")
            print(documents(self.rights(request, invocation)), end="")

    def diff(self, request: Request, invocation: Invocation) -> int:
        """What is in the image is not compared."""
        options, differs = invocation.options, False
        if request.playbook.permissions:
            granted = AppliedRights.look(self, request, invocation)
            differs = tool.differs(options, granted.wanted)
            differs = granted.differ() or differs
        with tempfile.TemporaryDirectory() as directory:
            FAAS_CLI.find()
            self.write(request, options, directory)
            words = ["faas-cli", "diff", "--yaml", "stack.yaml", "--envsubst=false"]
            words += ["-n", _namespace(options), *_gateway(options)]
            done = subprocess.run(
                words, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
        print(done.stdout, end="", flush=True)
        # It ends alike where it cannot tell.
        if done.returncode and "differences found" not in done.stdout.lower():
            raise FAAS_CLI.failed(done.returncode)
        return int(differs or bool(done.returncode))

    def deploy(self, request: Request, invocation: Invocation) -> int:
        options = invocation.options
        print_messages("warning", _warnings(request))
        FAAS_CLI.find()
        granted = None
        if request.playbook.permissions:
            tool.KUBECTL.find()
            granted = AppliedRights.look(self, request, invocation)
            there = reference("apps/v1", "Deployment", request.function, _namespace(options))
            granted.confirm(there)
            tool.apply(options, granted.wanted)
        with tempfile.TemporaryDirectory() as directory:
            self.write(request, options, directory)
            for words in _commands(options):
                FAAS_CLI.run(words, directory=directory)
        if granted:
            # Only now: what ran before may have needed it.
            granted.remove_left()
        print_step("deployed", self.named(request, invocation))
        print("\n".join(_hints(request, options)))
        removal = self.removal(request, options, "-n", _namespace(options))
        print(f"remove it:     {removal}")
        return 0

    def remove(self, function: str, invocation: Invocation) -> None:
        options, namespace = invocation.options, self.namespace(invocation)
        # Nothing is released where nothing can be removed.
        FAAS_CLI.find()
        tool.KUBECTL.find()
        there = self._deployed(function, invocation)
        self._settling(function, there, invocation)("nothing was removed")
        which, kinds = rights.selector(function, namespace), f"{rights.KINDS},serviceaccounts"
        try:
            FAAS_CLI.run(["faas-cli", "remove", function, "-n", namespace, *_gateway(options)])
        except DeploymentError as error:
            left = f"its rights stay: kubectl delete {kinds} -A -l {which}"
            raise DeploymentError(f"{error}\n{left}") from None
        tool.delete(options, kinds, which)
        print_step("removed", f"{namespace}/{function}")

    def write(self, request: Request, options: Options, directory: str) -> None:
        """What faas-cli takes: a stack.yaml, and the directory that it names."""
        files = {f"{request.function}/{name}": text for name, text in self.files(request).items()}
        stack = _yaml(self.stack(request, options)).encode()
        tool.write({**files, "stack.yaml": stack}, directory)

    def files(self, request: Request) -> Dict[str, bytes]:
        """The directory of the function, by path."""
        playbook = request.playbook
        main = _HANDLER.format(
            template=TEMPLATE, playbook=playbook.name, imported=import_of(playbook.name)
        )
        return {
            **package_files(
                playbook.name, ["engines/openfaas"], runs=playbook.runs(request.values)
            ),
            "handler.py": main.encode(),
            "requirements.txt": requirements(playbook.installs(request.values)).encode(),
        }

    def stack(self, request: Request, options: Options) -> Dict[str, Any]:
        """The stack.yaml."""
        gateway = options.own.get(GATEWAY.name)
        return {
            "version": "1.0",
            "provider": {"name": "openfaas", **({"gateway": gateway} if gateway else {})},
            "functions": {request.function: self._function(request, options)},
        }

    def variables(self, request: Request, options: Options) -> Dict[str, str]:
        """Those of the function that hold no secret."""
        namespace = _namespace(options)
        found = pushed.variables(request, namespace, lambda given: f"{SECRETS}/{given.key}")
        if KUBECONFIG.name in request.names_given:
            found[KUBECONFIG_VARIABLE] = "1"
        return found

    def _function(self, request: Request, options: Options) -> Dict[str, Any]:
        secrets = sorted({each.secret for each in request.references})
        own = request.playbook.permissions and KUBECONFIG.name not in request.names_given
        account = {"com.openfaas.serviceaccount": request.function}
        variables = {
            **{name: escaped(text) for name, text in self.variables(request, options).items()},
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            "exec_timeout": f"{TIMEOUT}s",
            "read_timeout": f"{TIMEOUT + _SPARE}s",
            "write_timeout": f"{TIMEOUT + _SPARE}s",
            # A line of the log is the outcome alone.
            "prefix_logs": "false",
        }
        return {
            "lang": TEMPLATE,
            "handler": f"./{request.function}",
            "image": options.own[IMAGE.name],
            "namespace": _namespace(options),
            # There are none in the package.
            "build_args": {"TEST_ENABLED": "false"},
            "environment": variables,
            **({"secrets": secrets} if secrets else {}),
            **({"annotations": account} if own else {}),
            "labels": {
                "com.openfaas.scale.min": str(LEAST),
                "com.openfaas.scale.max": str(MOST),
                "com.openfaas.scale.zero": "false",
            },
            **resources("512Mi"),
            "readonly_root_filesystem": True,
        }


ENGINE = OpenFaas()


def _namespace(options: Options) -> str:
    return options.namespace or NAMESPACE


def _misplaced(request: Request) -> List[str]:
    """References that cannot be files of their own."""
    found, seen = [], {given.key: given.secret for given in request.references}
    for given in request.references:
        other = seen[given.key]
        if other != given.secret:
            found.append(
                f"-s {given.name}: {given.secret} and {other} both have the key"
                f" {given.key}, and OpenFaaS mounts all keys into one directory"
            )
    return found


def _gateway(options: Options) -> List[str]:
    given = options.own.get(GATEWAY.name)
    return ["--gateway", given] if given else []


def _commands(options: Options) -> List[List[str]]:
    """Without what faas-cli would make of ``${...}`` in a setting."""
    up = ["faas-cli", "up", "--yaml", "stack.yaml", "--envsubst=false"]
    return [["faas-cli", "template", "store", "pull", TEMPLATE], [*up, *_gateway(options)]]


def _yaml(document: Dict[str, Any]) -> str:
    return documents([document], sort_keys=False)


def _warnings(request: Request) -> List[str]:
    sent = "Falcosidekick's webhook output with the token"
    return pushed.open_to(request, TOKEN, "the gateway", sent)


def _hints(request: Request, options: Options) -> List[str]:
    function, namespace, gateway = request.function, _namespace(options), _gateway(options)
    address = f"http://gateway.openfaas:8080/function/{function}.{namespace}"
    falcosidekick = f"openfaas.functionname {function}, openfaas.functionnamespace {namespace}"
    if TOKEN.name in request.names_given:
        falcosidekick = f"webhook.address {address}"
    return [
        f"Falcosidekick: {falcosidekick}",
        f"its log:       {shlex.join(['faas-cli', 'logs', function, '-n', namespace, *gateway])}",
    ]
