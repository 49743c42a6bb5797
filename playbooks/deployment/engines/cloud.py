"""What engines have in common whose functions run in a cloud, and act on a cluster from there."""

from __future__ import annotations

import json
from abc import abstractmethod
from typing import List

from playbooks.core.cluster.manifest import Manifest
from playbooks.deployment.engines.engine import Engine, Invocation, Option
from playbooks.deployment.errors import UsageError
from playbooks.deployment.manifests import pushed, rights
from playbooks.deployment.request.options import Options
from playbooks.deployment.request.request import Request

REGION = Option(
    "region", ("--region",), "with -E gcf and -E lambda: where the function runs", "REGION"
)
TOPIC = Option(
    "trigger_topic",
    ("--trigger-topic",),
    "with -E gcf and -E lambda: the topic whose messages are alerts: one of Pub/Sub, or of SNS by"
    " its ARN; without it they are posted, or the function is invoked",
    "TOPIC",
)


def json_text(document: object) -> str:
    """As the clouds' programs take a file of it."""
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


class CloudEngine(Engine):
    """What a function may do in the cluster, and what it contains there, stays when it is removed:
    ``falco-playbook undo`` goes on to work."""

    @abstractmethod
    def subjects(self, request: Request, options: Options) -> List[Manifest]:
        """Who a function is to the cluster, as bindings have it. Raises UsageError."""

    def named(self, request: Request, invocation: Invocation) -> str:
        """It is in no namespace."""
        return request.function

    def namespace(self, invocation: Invocation) -> str:
        return pushed.namespace_of(invocation.options)

    def rights(self, request: Request, invocation: Invocation) -> List[Manifest]:
        who = self.subjects(request, invocation.options)
        return rights.rights(request, self.namespace(invocation), who, engine=self.name)

    def misplaced(self, options: Options) -> List[str]:
        """What is about a cluster, of which deploying asks none."""
        return [f"--context is not for -E {self.name}"] if options.context else []

    def check_removal(self, options: Options) -> None:
        """Raises UsageError."""
        problems = [] if REGION.name in options.own else ["--region is not given"]
        if options.release or options.leave_contained:
            said = "--release and --leave-contained are not for"
            problems.append(f"{said} -E {self.name}: what it contains stays")
        if problems:
            raise UsageError(problems)

    def print_rights_left(self, function: str, invocation: Invocation) -> None:
        which = rights.selector(function, self.namespace(invocation))
        print(f"its rights stay: kubectl delete {rights.KINDS} -A -l {which}")
