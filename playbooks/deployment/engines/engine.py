"""The port of an engine: what ``deploy_playbook`` wants from whatever calls a playbook.

An engine is one module of this folder. It defines a subclass of ``Engine``, or of
``ClusterEngine`` where Kubeless' Function is the record of what is deployed, and names one instance
``ENGINE``. No list names it: ``-E NAME`` takes it, ``-E``'s help shows its summary, and the command
line has its options. docs/extending.md says what else an engine comes with. For example, one whose
own tool deploys a directory::

    class Example(Engine):
        name = "example"
        summary = "Example Functions, by the example tool"
        settings = (CONCURRENCY,)  # what -e and -s take beside the settings of the playbook
        options = (Option("region", ("--region",), "where the function runs", "REGION"),)

        def problems(self, request, options):
            # Also what would be ignored, such as -n or -r: nothing that is typed is silently lost.
            return [] if "region" in options.own else ["--region is not given"]

        def show(self, request, invocation):
            # -d: what deploy would give to the tool, without a cluster or an account. Name the
            # secrets in it in a warning, or leave them out.
            print(...)

        def deploy(self, request, invocation):
            ...  # render the files
            try:
                done = subprocess.run(["example", "deploy"], text=True, capture_output=True)
            except FileNotFoundError:
                raise DeploymentError("example is not on the PATH: see https://...") from None
            if done.returncode:
                raise DeploymentError(done.stderr)
            return 0

        def remove(self, function, invocation):
            ...  # -x


    ENGINE = Example()

The module imports what only its engine needs inside these methods: the others work without it.
"""

from __future__ import annotations

import sys
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Callable, Dict, List, Mapping, Sequence, Tuple

from playbooks.core.cluster.manifest import Identity, Manifest, identity, name_of, shown
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.errors import NotFound, NotPermitted
from playbooks.core.settings import Setting
from playbooks.deployment.apply import missing_rights, not_asked_for, preflight
from playbooks.deployment.apply.deploy import Observer, deploy, look, planned
from playbooks.deployment.apply.difference import difference
from playbooks.deployment.apply.orphaned_roles import remove_orphans_unless
from playbooks.deployment.apply.steps import Objects, step
from playbooks.deployment.apply.transaction import Transaction
from playbooks.deployment.apply.waiting import Check, Interruptions, Sleep
from playbooks.deployment.engines.worker.existing import HASH_KEY, Existing
from playbooks.deployment.errors import DeploymentError, MissingRights, UsageError
from playbooks.deployment.manifests import access, ledger, rights
from playbooks.deployment.removal import contained
from playbooks.deployment.removal.reach import Reach
from playbooks.deployment.removal.reach import reach as reach_of
from playbooks.deployment.removal.remove import remove
from playbooks.deployment.request.options import DEFAULT_RUNTIME, Options
from playbooks.deployment.request.request import Request
from playbooks.deployment.terminal import (
    confirmed,
    documents,
    print_done,
    print_messages,
    print_step,
)

_NOT_ASKED_FOR = "deploying would change what was not asked for:"
_MAKES_SECRETS = "deploy_playbook secrets makes it once, --show-secrets prints it"
_KEEP, _AGREE = "--reuse-settings keeps what is deployed, ", "--yes agrees to these changes"


@dataclass(frozen=True)
class Invocation:
    """One call of ``deploy_playbook``: what was typed, and what it works with."""

    options: Options
    environ: Mapping[str, str]
    cluster: ClusterObjects
    sleep: Sleep = time.sleep
    reach_of: Callable[[str, str], Reach] = reach_of

    def reach(self) -> Reach:
        """The same cluster, to release what is contained. Connects nowhere yet."""
        return self.reach_of(self.options.context, self.options.kubeconfig)

    @cached_property
    def namespace(self) -> str:
        """The one that was given, or the kubeconfig's. Asks no cluster."""
        return self.options.namespace or self.cluster.current_namespace()


@dataclass(frozen=True)
class Option:
    """An option that only some engines take; ``Options.own`` has its value under ``name``.

    ``flags``: such as ("-i", "--image"), or none for the words that follow the options.
    ``metavar``: empty for a switch. ``kind``: converts the text that is typed, or raises
    ValueError. ``default``: as messages name it. ``parts``: the text names a file; in a file of
    playbooks, what is in it may stand instead. ``typed``: it is about one call, and stands in no
    file.
    """

    name: str
    flags: Tuple[str, ...]
    help: str
    metavar: str = ""
    kind: Callable[[str], Any] = str
    default: str = "none"
    parts: bool = False
    typed: bool = False


class Engine(ABC):
    """``name``: as ``-E`` takes it. ``summary``: for the help of ``-E``. ``settings``: those that
    it takes beside the playbook's. ``options``: those of the command line that not every engine
    takes; ``identity``: those among them that say who a function is; ``places``: those that say
    where it is, which removing it wants, too. ``runtimes``: whether -r chooses its Python.
    """

    name: str
    summary: str
    settings: Tuple[Setting, ...] = ()
    options: Tuple[Option, ...] = ()
    runtimes = False
    identity: Tuple[Option, ...] = ()
    places: Tuple[Option, ...] = ()

    def namespace(self, invocation: Invocation) -> str:
        """Where its ledger is, and the function where that is in a cluster."""
        return invocation.namespace

    def named(self, request: Request, invocation: Invocation) -> str:
        """The function, as messages name it."""
        return f"{self.namespace(invocation)}/{request.function}"

    def seen_by(self, function: str, namespace: str) -> str:
        """The command that shows whether a function runs; empty where ``falco-playbook`` does."""
        return ""

    def rights(self, request: Request, invocation: Invocation) -> List[Manifest]:
        """What a function of the playbook needs in the cluster that it acts on: its account, the
        roles that it declares, and its ledger, by which ``falco-playbook`` finds it. This is for
        one that runs there, as the account of its name. Where it is somebody else,
        ``rights.rights`` binds the same to who it is. Raises UsageError where ``identity`` is
        missing."""
        return rights.with_account(request, self.namespace(invocation), self.name)

    def problems(self, request: Request, options: Options) -> List[str]:
        """What this engine cannot do of a request, found without a cluster; ``too_large`` of
        packaging.archive has what is more than its archive can hold."""
        return []

    @abstractmethod
    def show(self, request: Request, invocation: Invocation) -> None:
        """Print what would be deployed and change nothing. Works without a cluster."""

    def diff(self, request: Request, invocation: Invocation) -> int:
        """Print how what is deployed would change. 1 where it would, else 0."""
        seen = self.seen_by(request.function, invocation.options.namespace or "NAMESPACE")
        shows = f": {seen} shows what is deployed, and -d what would be" if seen else ""
        raise UsageError([f"-E {self.name} has no objects that diff could compare{shows}"])

    def make_secrets(self, request: Request, invocation: Invocation) -> None:
        """Make the Secrets that what ``show`` prints refers to, and nothing else."""
        raise UsageError([f"-E {self.name} has no objects that refer to a Secret"])

    @abstractmethod
    def deploy(self, request: Request, invocation: Invocation) -> int:
        """The exit code. Raises DeploymentError, after everything is as it was before."""

    @abstractmethod
    def remove(self, function: str, invocation: Invocation) -> None:
        """Remove what is left of ``function``, falco-<name>. Raises DeploymentError."""

    def _settle(self, function: str, invocation: Invocation, nothing: str) -> None:
        """Release what it contains, or leave it, as it was asked for. ``nothing``: as for
        ``contained.settle``. Raises DeploymentError."""
        options, reach = invocation.options, invocation.reach()
        place = self.namespace(invocation)
        found = contained.of_function(invocation.cluster, function, place, reach)
        contained.settle(
            found,
            function,
            release=options.release,
            leave=options.leave_contained,
            nothing=nothing,
        )


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
            access.service_account(request, namespace),
            *access.roles(request, namespace),
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

    def keeps_failed(self, invocation: Invocation) -> bool:
        """Whether what does not become ready is not rolled back."""
        return False

    def warnings(self, objects: Objects, invocation: Invocation) -> List[str]:
        """What is wrong with the function although it is deployed."""
        return []

    def hints(self, objects: Objects) -> List[str]:
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
        for secret in _secrets(made):
            keys = ", ".join(key for key in secret["data"] if key != HASH_KEY)
            if keys and options.show_secrets:
                print_messages("warning", [f"this output contains {keys}, in the Secret"])
            elif keys:
                said = f"{shown(secret)} ({keys}) is left out: {_MAKES_SECRETS}"
                print_messages("warning", [said])
        hidden = [] if options.show_secrets else _secrets(made)
        print(documents([each for each in made if each not in hidden]), end="")

    def make_secrets(self, request: Request, invocation: Invocation) -> None:
        existing = self.look(request, invocation)
        wanted = _secrets(self._objects(request, invocation, existing).in_order)
        found = {identity(each): each for each in invocation.cluster.get(wanted)}
        transaction = Transaction(
            invocation.cluster,
            sleep=invocation.sleep,
            progress=print_step,
        )
        for each in wanted:
            transaction.do(step(each, found.get(identity(each))))
        if not wanted:
            print(f"{request.function} needs no Secret")

    def diff(self, request: Request, invocation: Invocation) -> int:
        existing = self.look(request, invocation)
        steps = planned(invocation.cluster, self._objects(request, invocation, existing))
        changes = difference(invocation.cluster, steps)
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
        objects = self._objects(request, invocation, existing)
        try:
            self._ask(request, objects, invocation)
            self.prepare(invocation)
            with Interruptions() as interruptions:
                warnings = deploy(
                    invocation.cluster,
                    objects,
                    check=interruptions.check,
                    sleep=invocation.sleep,
                    observer=self.observer(objects, invocation, interruptions.check),
                    progress=print_step,
                    keep_failed=self.keeps_failed(invocation),
                )
        except (NotPermitted, MissingRights) as error:
            raise missing_rights.explained(invocation.cluster, objects, error) from error
        remove_orphans_unless(warnings, invocation.cluster)
        print_messages("warning", self.warnings(objects, invocation))
        print("\n".join(self.hints(objects)))
        return 0

    def _objects(self, request: Request, invocation: Invocation, existing: Existing) -> Objects:
        made = self.objects(request, invocation, existing)
        return made.here() if invocation.options.granted else made

    def _ask(self, request: Request, objects: Objects, invocation: Invocation) -> None:
        """Raises DeploymentError unless somebody agrees to what was not asked for."""
        changes = self._not_asked_for(request, objects, invocation)
        if not changes:
            return
        if invocation.options.yes:
            print_messages("warning", changes)
        elif not sys.stdin.isatty():
            keep = "" if invocation.options.reuse else _KEEP
            advice = f"nothing was changed; {keep}{_AGREE}"
            raise DeploymentError("\n".join([_NOT_ASKED_FOR, *changes, advice]))
        elif not confirmed(changes):
            raise DeploymentError("nothing was changed")

    def _not_asked_for(
        self, request: Request, objects: Objects, invocation: Invocation
    ) -> List[str]:
        try:
            found, _ = look(invocation.cluster, objects)
        except NotFound:
            return []  # No cluster that lacks the kind of a Function has one.
        options = invocation.options
        changes = not_asked_for.changes(found, objects, request.settings)
        was = found.get(identity(objects.function), objects.function)["spec"].get("runtime")
        if self.runtimes and was != request.runtime and not options.runtime:
            changes.append(not_asked_for.was_now("runtime", was, DEFAULT_RUNTIME))
        lost = self.deployed_options(found)
        return changes + [
            not_asked_for.was_now(option.name, lost[option.name], option.default)
            for option in self.options
            if option.name in lost and option.name not in options.own
        ]

    def remove(self, function: str, invocation: Invocation) -> None:
        cluster, namespace = invocation.cluster, invocation.namespace
        preflight.check_cluster(cluster)
        self._settle(function, invocation, "nothing was removed")

        def again() -> None:
            """What was contained since, while the workers finished."""
            if not invocation.options.leave_contained:
                self._settle(function, invocation, "its triggers and workers are removed")

        removed, warnings = remove(
            cluster, function, namespace, sleep=invocation.sleep, ended=again
        )
        print_done(("removed", shown) for shown in removed)
        if not removed:
            print(f"nothing of {function} was in namespace {namespace}")
        remove_orphans_unless(warnings, cluster)


def _secrets(manifests: Sequence[Manifest]) -> List[Manifest]:
    return [each for each in manifests if each["kind"] == "Secret"]


def managed(function: str, namespace: str) -> List[str]:
    """How to see one that is a Function of Kubeless, whatever serves it."""
    here = f"{function} -n {namespace}"
    return [
        f"see it:     falco-playbook status -N {name_of(function)} -n {namespace}",
        f"            or kubeless function list {here}",
        f"its log:    kubectl logs deployment/{here}",
        f"            or kubeless function logs {here}",
    ]


def answered(triggers: List[Manifest]) -> List[str]:
    """Which trigger answers which topic, for hints."""
    return [f"{t['metadata']['name']} answers {t['spec']['topic']}" for t in triggers]
