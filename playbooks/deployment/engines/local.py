"""``-E local``: this machine calls the playbook, in the foreground. It acts on a real cluster, a
cluster in memory, or no cluster at all."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Iterable, List, Mapping, Sequence

from playbooks.core.alert import Alert
from playbooks.core.cluster.manifest import Manifest
from playbooks.core.cluster.node import Node
from playbooks.core.errors import NoCluster, PlaybookError, RetryableError
from playbooks.core.outcome import Outcome
from playbooks.core.playbook import Playbook
from playbooks.deployment.engines.engine import Engine, Invocation, Option
from playbooks.deployment.errors import UsageError
from playbooks.deployment.request.options import Options
from playbooks.deployment.request.request import Request
from playbooks.engines.local import CannotStart, engine, target
from playbooks.engines.local.files import STANDARD_INPUT
from playbooks.engines.local.settings import NATS_SETTINGS
from playbooks.engines.local.target import Row, Target
from playbooks.infrastructure import this_pod, wiring
from playbooks.infrastructure.kubernetes import connect
from playbooks.infrastructure.kubernetes.api import KubernetesApi
from playbooks.infrastructure.kubernetes.cluster import KubernetesCluster
from playbooks.infrastructure.memory.cluster import MemoryCluster, MemoryLedger
from playbooks.infrastructure.memory.scene import Scene

# A file beside the alerts, with objects that no alert names.
MANIFESTS = "stand-in.yaml"

# Names more files like it.
VARIABLE = "STANDIN_OBJECTS"

# Rows of the table at the end.
MOST_ROWS = 60

FILES = Option("files", (), "with -E local: alerts, one a line; - for stdin", "FILE")
HTTP = Option(
    "http_port",
    ("--http",),
    "with -E local: take alerts by HTTP POST on this port of the loopback",
    "PORT",
    int,
)
REASONS = Option(
    "reasons", ("-v", "--verbose"), "with -E local: under each outcome, every check that led to it"
)


class Local(Engine):
    name = "local"
    summary = "this machine, in the foreground"
    options = (HTTP, REASONS, FILES)
    settings = NATS_SETTINGS

    def problems(self, request: Request, options: Options) -> List[str]:
        found = []
        if request.references:
            found.append("-s needs a cluster: -E local takes -e NAME=@FILE")
        if options.show:
            found.append("-E local has no objects that -d could print")
        return found

    def rights(self, request: Request, invocation: Invocation) -> List[Manifest]:
        raise UsageError(["-E local acts as whoever the kubeconfig says: it has no account"])

    def show(self, request: Request, invocation: Invocation) -> None:
        raise UsageError(self.problems(request, invocation.options))

    def deploy(self, request: Request, invocation: Invocation) -> int:
        """Until the alerts end, or somebody ends it."""
        options = invocation.options
        own, namespace = options.own, options.namespace
        place = {} if namespace is None else {this_pod.NAMESPACE_VARIABLE: namespace}
        return engine.main(
            request.playbook.name,
            request.topics,
            {**invocation.environ, **request.values, **place},
            source=own.get(FILES.name, ()),
            http_port=own.get(HTTP.name),
            target=partial(find_target, context=options.context, named=bool(options.cluster)),
            reasons=own.get(REASONS.name, False),
        )

    def remove(self, function: str, invocation: Invocation) -> None:
        raise UsageError(["-E local leaves nothing that -x could remove"])


ENGINE = Local()


def find_target(
    playbook: Playbook,
    environ: Mapping[str, str],
    files: Sequence[str],
    *,
    context: str = "",
    named: bool = False,
) -> Target:
    """``files``: the alerts, whose directories may hold a file of more objects. ``context``: of the
    kubeconfig; empty for the current one. ``named``: whether one of them was asked for, and no
    other cluster will do.

    Raises CannotStart where the cluster cannot be found, or does not answer.
    """
    if not playbook.permissions:
        return Target()
    try:
        found = connect.of_kubeconfig(environ, context) if named else connect.if_any(environ)
    except NoCluster as error:
        raise CannotStart(str(error)) from error
    if found is None:
        return StandIn(_manifests(environ, files))
    words = f"{found}. (-e KUBECONFIG= takes a stand-in instead.)"
    return RealTarget(words, KubernetesApi(connect=found.connect))


class RealTarget(Target):
    """``words``: what a person calls the cluster. Raises CannotStart where it does not answer."""

    title = "What was acted on, read again"

    def __init__(self, words: str, api: KubernetesApi) -> None:
        self._api, self._cluster = api, KubernetesCluster(api)
        self.words = (f"This acts on {words}",)
        try:
            # Better no alert than each of them tried in vain for as long as a function may take.
            self._cluster.node("falco-playbooks-is-anybody-there")
        except (RetryableError, NoCluster) as error:
            raise CannotStart(f"{error}\nthis would act on {words}") from error
        except PlaybookError:
            pass  # It answers: there is no such node, or we may not know.

    def wired(self, playbook: Playbook) -> Playbook:
        """The cluster that is shown is the one that is used."""
        return wiring.on(playbook, self._api)

    def afterwards(self, acted: Sequence[Outcome]) -> List[Row]:
        return target.of_cluster(self._cluster, acted)


class StandIn(Target):
    """A cluster in memory, made up from the alerts. ``manifests``: files of further objects."""

    title = "The stand-in afterwards"
    next_steps = (
        "",
        "What next?",
        "  -v                          prints every check that led to an outcome",
        "  -e NAME=VALUE               changes a setting; deploy_playbook -l lists them",
        "  deploy_playbook -S          sets a cluster up; docs/try-it.md shows it step by step",
        "  falco-playbook simulate -h  runs past alerts of yours, and compares settings",
    )

    def __init__(self, manifests: Sequence[Path]) -> None:
        self._cluster = MemoryCluster()
        self._scene = Scene(self._cluster)
        try:
            for path in manifests:
                self._scene.load(path)
        except ValueError as error:
            raise CannotStart(str(error)) from error
        added = f", {' and '.join(map(str, manifests))} adds to them" if manifests else ""
        self.words = (
            "STAND-IN, NOT A CLUSTER: there is no kubeconfig, so this acts on a cluster in memory."
            f" Its pods and nodes are made up from the alerts{added}; nothing runs in them, and no"
            " controller replaces what is deleted.",
        )

    def wired(self, playbook: Playbook) -> Playbook:
        made = partial(wiring.of_cluster, self._cluster, MemoryLedger())
        return replace(playbook, collaborators=made)

    def expect(self, alerts: Iterable[Alert]) -> None:
        self._scene.expect(alerts)

    def afterwards(self, _acted: Sequence[Outcome]) -> List[Row]:
        rows = [target.pod_row(name, pod) for name, pod in self._scene.pods()]
        rows += [target.node_row(Node(found)) for found in self._cluster.objects("Node")]
        policies = self._cluster.objects("NetworkPolicy")
        rows += [target.policy_row(found) for found in policies]
        left = len(rows) - MOST_ROWS
        return [*rows[:MOST_ROWS], *([("", f"and {left} more", "")] if left > 0 else [])]


def _manifests(environ: Mapping[str, str], files: Sequence[str]) -> List[Path]:
    named = [Path(name) for name in environ.get(VARIABLE, "").split(",") if name.strip()]
    beside = [Path(file).parent / MANIFESTS for file in files if file != STANDARD_INPUT]
    return list(dict.fromkeys([*named, *(path for path in beside if path.is_file())]))
