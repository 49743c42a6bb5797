"""What engines have in common whose functions are Functions of Kubeless, whatever serves them."""

from __future__ import annotations

import shlex
from abc import abstractmethod
from typing import Any, Dict, List, Mapping

from playbooks.core.cluster.manifest import Identity, Manifest, identity, name_of
from playbooks.core.errors import NotFound, NotPermitted
from playbooks.deployment.apply import preflight
from playbooks.deployment.apply.confirmation import changes_to_confirm, confirm, was_now
from playbooks.deployment.apply.deploy import Observer, deploy, look, planned
from playbooks.deployment.apply.diff import difference
from playbooks.deployment.apply.dry_run import missing_rights
from playbooks.deployment.apply.orphaned_roles import remove_orphans_unless
from playbooks.deployment.apply.steps import Objects, step
from playbooks.deployment.apply.transaction import Transaction
from playbooks.deployment.apply.waiting import Check, Interruptions
from playbooks.deployment.engines.engine import Engine, Invocation, print_objects, secrets_of
from playbooks.deployment.engines.existing import Existing
from playbooks.deployment.errors import DeploymentError, MissingRights, UsageError
from playbooks.deployment.manifests import ledger, rbac, record
from playbooks.deployment.removal.remove import remove
from playbooks.deployment.request.options import DEFAULT_RUNTIME, Options, naming
from playbooks.deployment.request.request import Request
from playbooks.deployment.terminal import print_messages, print_step
from playbooks.deployment.workers.deployed_function import in_others, nothing


class ClusterEngine(Engine):
    """An engine whose functions are Functions of Kubeless, whatever serves them.

    The Function is the record of what is deployed. It owns the accessories, whatever their
    kind: removing it removes them. Roles whose Function does not exist are removed as orphans. An
    engine with objects of its own, such as a Knative Service, is an ``Engine``.
    Deploying calls, in this order: look, objects, deployed_options, prepare, the observer,
    warnings, hints.
    """

    @abstractmethod
    def objects(self, request: Request, invocation: Invocation, existing: Existing) -> Objects:
        """What is to exist in the cluster."""

    def rights(self, request: Request, invocation: Invocation) -> List[Manifest]:
        """Labelled as those of a Function, by which it is found."""
        namespace = invocation.namespace
        return [
            rbac.service_account(request, namespace),
            *rbac.roles(request, namespace),
            *ledger.ledger(request, namespace),
        ]

    def look(self, request: Request, invocation: Invocation) -> Existing:
        """What exists already. Changes nothing; raises DeploymentError for what is in the way."""
        return Existing()

    def deployed_options(self, deployed: Mapping[Identity, Manifest]) -> Dict[str, Any]:
        """The values of ``options`` with which objects were deployed, without defaults."""
        return {}

    def serves(self, deployed: Mapping[Identity, Manifest]) -> bool:
        """Whether objects beside a Function show that this engine made them."""
        return False

    def prepare(self, invocation: Invocation) -> None:
        """Create what all functions of this engine need and the cluster lacks."""

    def observer(self, objects: Objects, invocation: Invocation, check: Check) -> Observer:
        """``check`` raises where somebody pressed Ctrl-C; long waits call it."""
        return Observer()

    def warnings(self, objects: Objects, invocation: Invocation) -> List[str]:
        """What is wrong with the function although it is deployed."""
        return []

    def hints(self, objects: Objects, options: Options) -> List[str]:
        """How to see, call and remove the function."""
        return []

    def unknown_without_cluster(self, request: Request, options: Options) -> List[str]:
        """How printed objects differ from those that deploying makes."""
        return []

    def show(self, request: Request, invocation: Invocation) -> None:
        options = invocation.options
        print_messages("warning", self.unknown_without_cluster(request, options))
        existing = Existing() if options.show_secrets else Existing.to_print()
        made = self._objects(request, invocation, existing).in_order
        print_objects(made, show_secrets=options.show_secrets)

    def make_secrets(self, request: Request, invocation: Invocation) -> None:
        existing = self.look(request, invocation)
        wanted = secrets_of(self._objects(request, invocation, existing).in_order)
        found = {identity(each): each for each in invocation.cluster.get(wanted)}
        transaction = Transaction(invocation.cluster, sleep=invocation.sleep, progress=print_step)
        for each in wanted:
            transaction.do(step(each, found.get(identity(each))))
        if not wanted:
            print(f"{request.function} needs no Secret")

    def diff(self, request: Request, invocation: Invocation) -> int:
        existing = self.look(request, invocation)
        objects = self._objects(request, invocation, existing)
        changes = difference(invocation.cluster, planned(invocation.cluster, objects))
        print_messages("change", self._to_confirm(request, objects, invocation))
        print(changes, end="")
        return 1 if changes else 0

    def deploy(self, request: Request, invocation: Invocation) -> int:
        try:
            existing = self.look(request, invocation)
        except NotPermitted as error:
            raise MissingRights(
                f"{error}\nnothing was deployed. Deploying takes the rights of an admin of"
                f" {invocation.namespace} (kubectl create rolebinding NAME --clusterrole=admin"
                f" --user=USER -n {invocation.namespace})"
            ) from error
        objects, options = self._objects(request, invocation, existing), invocation.options
        try:
            changes = self._to_confirm(request, objects, invocation)
            confirm(changes, agreed=options.yes, reusable=not options.reuse)
            self.prepare(invocation)
            with Interruptions() as interruptions:
                warnings = deploy(
                    invocation.cluster,
                    objects,
                    check=interruptions.check,
                    sleep=invocation.sleep,
                    observer=self.observer(objects, invocation, interruptions.check),
                    progress=print_step,
                )
        except (NotPermitted, MissingRights) as error:
            raise missing_rights(invocation.cluster, objects, error) from error
        remove_orphans_unless(warnings, invocation.cluster)
        print_messages("warning", self.warnings(objects, invocation))
        print("\n".join(self.hints(objects, options)))
        return 0

    def _objects(self, request: Request, invocation: Invocation, existing: Existing) -> Objects:
        made = self.objects(request, invocation, existing)
        return made.here() if invocation.options.granted else made

    def _to_confirm(self, request: Request, objects: Objects, invocation: Invocation) -> List[str]:
        try:
            found, _ = look(invocation.cluster, objects)
        except NotFound:
            return []  # No cluster that lacks the kind of a Function has one.
        options = invocation.options
        changes = changes_to_confirm(found, objects, request.settings)
        was = found.get(identity(objects.function), objects.function)["spec"].get("runtime")
        if self.runtimes and was != request.runtime and not options.runtime:
            changes.append(was_now("runtime", was, DEFAULT_RUNTIME))
        lost = self.deployed_options(found)
        return changes + [
            was_now(option.name, lost[option.name], option.default)
            for option in self.options
            if option.name in lost and option.name not in options.own
        ]

    def remove(self, function: str, invocation: Invocation) -> None:
        cluster, namespace = invocation.cluster, invocation.namespace
        preflight.check_cluster(cluster)
        there = self._deployed(function, invocation)
        engine = record.engine_of(there) if there else ""
        if engine:
            raise UsageError(
                [f"{namespace}/{function} is a function of -E {engine}: give -E {engine} with -x"]
            )
        settle = self._settling(function, there, invocation)
        settle("nothing was removed")

        def again(running: List[str]) -> None:
            """What was contained since, while the workers finished."""
            said = "still runs, and loses its rights now: what it is doing may fail"
            print_messages("warning", [f"{each} {said}" for each in running])
            if not invocation.options.leave_contained:
                settle("its triggers and workers are removed")

        removed, warnings = remove(
            cluster, function, namespace, sleep=invocation.sleep, ended=again
        )
        for each in removed:
            print_step("removed", each)
        remove_orphans_unless(warnings, cluster)
        if not removed:
            if not self._names_playbook(invocation.options):
                raise DeploymentError(nothing(cluster, function, namespace))
            print(
                f"nothing of {function} was in namespace {namespace}{in_others(cluster, function)}"
            )


def managed(objects: Objects, options: Options) -> List[str]:
    """How to see a Function of Kubeless, whatever serves it."""
    here = f"{objects.name} -n {objects.namespace}"
    log = ["kubectl", "logs", f"deployment/{objects.name}", "-n", objects.namespace]
    return [
        f"see it:     {about(objects, options, 'status')}",
        f"            or kubeless function list {here}",
        f"its log:    {shlex.join([*log, *options.cluster])}",
        f"            or kubeless function logs {here}",
    ]


def about(objects: Objects, options: Options, command: str) -> str:
    """A command of falco-playbook about the function, in the same cluster."""
    name, kubeconfig = name_of(objects.name), shlex.quote(options.kubeconfig)
    words = ["falco-playbook", command, "-N", name, "-n", objects.namespace]
    words += ["--context", options.context] if options.context else []
    return f"KUBECONFIG={kubeconfig} " * bool(options.kubeconfig) + shlex.join(words)


def removal_of(objects: Objects, options: Options) -> str:
    """The command that removes it: -x finds it on either engine. It has the playbook, so that doing
    it again is no error."""
    named = naming(record.playbook_of(objects.function), name_of(objects.name))
    words = ["-x", *named, "-n", objects.namespace, *options.cluster]
    return f"deploy_playbook {shlex.join(words)}"


def answered(triggers: List[Manifest]) -> List[str]:
    """Which trigger answers which topic, for hints."""
    return [f"{t['metadata']['name']} answers {t['spec']['topic']}" for t in triggers]
