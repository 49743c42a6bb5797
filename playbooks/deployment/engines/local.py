"""``-E local``: this machine calls the playbook, in the foreground."""

from __future__ import annotations

from functools import partial
from typing import List

from playbooks.core.cluster.manifest import Manifest
from playbooks.deployment.engines.engine import Engine, Invocation, Option
from playbooks.deployment.errors import UsageError
from playbooks.deployment.request.options import Options
from playbooks.deployment.request.request import Request
from playbooks.engines.local.settings import NATS_SETTINGS
from playbooks.infrastructure import this_pod

FILES = Option("files", (), "with -E local: alerts, one a line; - for stdin", "FILE")
HTTP = Option(
    "http_port",
    ("--http",),
    "with -E local: take alerts by HTTP POST on this port of the loopback",
    "PORT",
    int,
)
REASONS = Option(
    "reasons",
    ("-v", "--verbose"),
    "with -E local: under each outcome, every check that led to it",
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
        # Only here: it wants packages that deploying to a cluster does not.
        from playbooks.deployment import local_target
        from playbooks.engines.local import engine

        own, namespace = invocation.options.own, invocation.options.namespace
        place = {} if namespace is None else {this_pod.NAMESPACE_VARIABLE: namespace}
        return engine.main(
            request.playbook.name,
            request.topics,
            {**invocation.environ, **request.values, **place},
            source=own.get(FILES.name, ()),
            http_port=own.get(HTTP.name),
            target=partial(local_target.find, context=invocation.options.context),
            reasons=own.get(REASONS.name, False),
        )

    def remove(self, function: str, invocation: Invocation) -> None:
        raise UsageError(["-E local leaves nothing that -x could remove"])


ENGINE = Local()
