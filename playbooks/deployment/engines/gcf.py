"""``-E gcf``: gcloud deploys a Cloud Function, to which alerts are posted or come by Pub/Sub."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import Any, Dict, List, Mapping

from playbooks.core.cluster.manifest import Manifest
from playbooks.deployment.engines import pushed, tool
from playbooks.deployment.engines.engine import Invocation, Option
from playbooks.deployment.engines.pushed import REGION, TOPIC, CloudEngine, json_text
from playbooks.deployment.errors import DeploymentError, UsageError
from playbooks.deployment.manifests import rights
from playbooks.deployment.packaging.archive import import_of, package_files
from playbooks.deployment.packaging.dependencies import requirements
from playbooks.deployment.request.options import Options
from playbooks.deployment.request.request import Request
from playbooks.deployment.terminal import print_messages, print_step
from playbooks.engines.pushed import TIMEOUT
from playbooks.infrastructure.google.settings import KUBECONFIG_SECRET

# The runtime of both generations. Source: https://cloud.google.com/functions/docs/runtime-support
RUNTIME = "python312"

# An instance answers one alert at a time, and so many answer at once: the ledger holds for all.
CONCURRENCY, INSTANCES, MEMORY = 1, 5, "512Mi"

# Where secrets are mounted: each in a directory of its own, which the mount hides.
SECRETS = "/falco-secrets"

GCLOUD = tool.Program("gcloud", "https://cloud.google.com/sdk/docs/install")

# A variable by which functions-framework starts a server for development.
DEBUG = "DEBUG"

# Variables of Cloud Functions and functions-framework.
_RESERVED = re.compile(
    r"ENTRY_POINT|FUNCTION_.*|GCLOUD_PROJECT|GCP_PROJECT|GOOGLE_.*|GUNICORN_.*|HOST|PORT"
    r"|K_.*|THREADS|THREADED_.*|WORKERS|X_GOOGLE_.*|CLOUD_RUN_.*"
)
_ACCOUNT = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")
_WORD = re.compile(r"[a-z][a-z0-9-]*[a-z0-9]")

PROJECT = Option(
    "project", ("--project",), "with -E gcf: its project; default: gcloud's own", "PROJECT"
)
ACCOUNT = Option(
    "account",
    ("--account",),
    "with -E gcf: the service account that the function runs as, by its e-mail",
    "EMAIL",
)
FIRST = Option(
    "first_generation",
    ("--gen1",),
    "with -E gcf: a function of the first generation, which Falcosidekick's Cloud Functions output"
    " calls",
)


_MAIN = '''\
"""What Cloud Functions serves: the playbook {playbook}."""

import functions_framework

{imports}

{target} = functions_framework.http(gcf.{target}({answered}))
'''


class CloudFunctions(CloudEngine):
    name = "gcf"
    summary = "Google Cloud Functions, by gcloud"
    settings = (pushed.needed_to_act(KUBECONFIG_SECRET),)
    options = (REGION, PROJECT, ACCOUNT, TOPIC, FIRST)
    identity = (ACCOUNT,)
    places = (REGION, PROJECT, FIRST)

    def seen_by(self, function: str, _namespace: str) -> str:
        return f"gcloud functions describe {function} --region REGION"

    def problems(self, request: Request, options: Options) -> List[str]:
        own = options.own
        found = [f"{o.flags[0]} is not given" for o in (REGION, ACCOUNT) if o.name not in own]
        account, region = own.get(ACCOUNT.name, "a@b.c"), own.get(REGION.name, "a-region")
        if not _ACCOUNT.fullmatch(account):
            found.append(f"--account is {account!r}, expected the e-mail of a service account")
        if not _WORD.fullmatch(region):
            found.append(f"--region is {region!r}, expected one such as europe-west1")
        found += self.misplaced(options)
        found += pushed.problems(request, _RESERVED, "Cloud Functions or deploy_playbook")
        if DEBUG in request.names_given:
            found.append(f"{DEBUG} cannot be a variable: it starts a server for development")
        found += self.not_connected(request, KUBECONFIG_SECRET)
        keep = "Secret Manager (gcloud secrets create NAME --data-file=-)"
        return found + pushed.not_kept(request, keep, "NAME/latest")

    def show(self, request: Request, invocation: Invocation) -> None:
        options = invocation.options
        files = self.files(request, options)
        shown = {name: files[name].decode() for name in ("main.py", "requirements.txt")}
        tool.print_files({**shown, "env.yaml": self._env(request, options)})
        print(f"{tool.shown(self._command(request, options))}\n")
        self.print_rights(request, invocation)

    def deploy(self, request: Request, invocation: Invocation) -> int:
        self.confirm(request, invocation.options, _deployed(request, invocation.options.own))
        with tempfile.TemporaryDirectory() as directory:
            source, variables = Path(directory, "source"), Path(directory, "env.yaml")
            tool.write(self.files(request, invocation.options), str(source))
            variables.write_text(self._env(request, invocation.options), "utf-8")
            GCLOUD.run(self._command(request, invocation.options, str(source), str(variables)))
        print_step("deployed", request.function)
        print("\n".join(self._hints(request, invocation.options)))
        return 0

    def remove(self, function: str, invocation: Invocation) -> None:
        options = invocation.options
        self.check_removal(options)
        GCLOUD.run(["gcloud", "functions", "delete", function, *_place(options.own), "--quiet"])
        print_step("removed", function)
        self.print_rights_left(function, invocation)

    def subjects(self, request: Request, options: Options) -> List[Manifest]:
        account = options.own.get(ACCOUNT.name, "")
        if not _ACCOUNT.fullmatch(account):
            raise UsageError(["--account is not given, expected the e-mail of a service account"])
        return rights.users(account)

    def files(self, request: Request, options: Options) -> Dict[str, bytes]:
        """The directory that gcloud uploads, by path."""
        playbook = request.playbook
        modules, packages = ["engines/gcf"], [*playbook.installs(request.values)]
        if playbook.permissions:
            modules.append("infrastructure/google/cluster")
            packages.append("google-auth")
        return {
            **package_files(playbook.name, modules, runs=playbook.runs(request.values)),
            "main.py": _main(request, options).encode(),
            "requirements.txt": requirements(packages).encode(),
            ".gcloudignore": b"",
        }

    def variables(self, request: Request, options: Options) -> Dict[str, str]:
        """Those of the function that hold no secret."""
        namespace = pushed.namespace_of(options)
        return pushed.variables(request, namespace, lambda reference: _path(reference.name))

    def _env(self, request: Request, options: Options) -> str:
        """For a file of gcloud's: a list of them on the command line could hold no comma. JSON is
        YAML, and leaves no doubt of what is text."""
        return json_text(self.variables(request, options))

    def _command(
        self, request: Request, options: Options, source: str = ".", variables: str = "env.yaml"
    ) -> List[str]:
        own = options.own
        first = FIRST.name in own
        account = own[ACCOUNT.name]
        words = ["gcloud", "functions", "deploy", request.function, *_place(own)]
        words += ["--runtime", RUNTIME, "--source", source, "--entry-point", _target(own)]
        words += _trigger(own)
        words += ["--service-account" if first else "--run-service-account", account]
        words += ["--env-vars-file", variables, *_mounted(request)]
        words += ["--timeout", f"{TIMEOUT}s", "--max-instances", str(INSTANCES)]
        words += ["--memory", f"{MEMORY[:-2]}MB" if first else MEMORY]
        words += [] if first else ["--concurrency", str(CONCURRENCY)]
        return [*words, "--quiet"]

    def _hints(self, request: Request, options: Options) -> List[str]:
        function, own = request.function, options.own
        place = " ".join([f"--region {own[REGION.name]}", *_project(own)])
        role = " --role roles/cloudfunctions.invoker"
        verb = "add-iam" if FIRST.name in own else "add-invoker"
        caller = (
            f"who calls it: gcloud functions {verb}-policy-binding {function} {place}"
            f" --member serviceAccount:CALLER{role if FIRST.name in own else ''}"
        )
        return [
            *([caller] if TOPIC.name not in own else []),
            f"its log:     gcloud functions logs read {function} {place}",
            *self.hints(request, options),
        ]


ENGINE = CloudFunctions()


def _deployed(request: Request, own: Mapping[str, Any]) -> Mapping[str, str]:
    """The variables of the function that is there, of either generation; none where they cannot be
    read, such as in a project that has no function yet: a warning."""
    words = ["gcloud", "functions", "list", "--v2", "--regions", own[REGION.name], *_project(own)]
    words += ["--filter", f"name~/functions/{request.function}$", "--format", "json", "--quiet"]
    try:
        found = json.loads(GCLOUD.output(words) or "[]")
    except DeploymentError as error:
        said = "which settings are deployed cannot be read, and what is lost of them not be said"
        print_messages("warning", [f"{said}: {error}"])
        return {}
    configured = [each.get("serviceConfig") or {} for each in found]
    return next((each.get("environmentVariables") or {} for each in configured), {})


def _target(own: Mapping[str, Any]) -> str:
    return "event" if TOPIC.name in own else "alert"


def _trigger(own: Mapping[str, Any]) -> List[str]:
    """Closed: whoever may call it has to be named."""
    if TOPIC.name not in own:
        closed = ["--trigger-http", "--no-allow-unauthenticated"]
        return closed + (["--security-level", "secure-always"] if FIRST.name in own else [])
    # Without --retry what failed is dropped.
    found = ["--trigger-topic", own[TOPIC.name], "--retry"]
    return found + ([] if FIRST.name in own else ["--trigger-service-account", own[ACCOUNT.name]])


def _place(own: Mapping[str, Any]) -> List[str]:
    generation = "--no-gen2" if FIRST.name in own else "--gen2"
    return [generation, "--region", own[REGION.name], *_project(own)]


def _project(own: Mapping[str, Any]) -> List[str]:
    return ["--project", own[PROJECT.name]] if PROJECT.name in own else []


def _mounted(request: Request) -> List[str]:
    """All of them: those of before are forgotten. Secret settings are files, which are read when
    they are opened; other variables get their text when an instance starts."""
    found = []
    for reference in request.references:
        where = _path(reference.name) if pushed.is_file(request, reference) else reference.name
        found.append(f"{where}={reference.secret}:{reference.key}")
    return ["--set-secrets", ",".join(found)] if found else ["--clear-secrets"]


def _path(name: str) -> str:
    return f"{SECRETS}/{name}/value"


def _main(request: Request, options: Options) -> str:
    name = request.playbook.name
    imports = [import_of(name), "from playbooks.engines import gcf"]
    answered = "playbook"
    if request.playbook.permissions:
        imports.append("from playbooks.infrastructure.google.cluster import on_cluster")
        answered = "on_cluster(playbook)"
    return _MAIN.format(
        playbook=name,
        imports="\n".join(sorted(imports)),
        target=_target(options.own),
        answered=answered,
    )
