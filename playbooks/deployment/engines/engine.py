"""The port of an engine: what ``deploy_playbook`` wants from whatever calls a playbook.

An engine is one module or folder here. It defines a subclass of ``Engine``, or of ``ClusterEngine``
where Kubeless' Function is the record of what is deployed, and names one instance ``ENGINE``. No
list names it: ``-E NAME`` takes it, ``-E``'s help shows its summary, and the command line has its
options. Packages that only itself needs it imports inside its methods: the others work without.
docs/extending.md has an engine as an example, and says what else one comes with.
"""

from __future__ import annotations

import shlex
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Callable, List, Mapping, Optional, Sequence, Tuple

from playbooks.core import catalogue
from playbooks.core.cluster.manifest import Manifest, shown
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.settings import Setting
from playbooks.deployment.apply.waiting import Sleep
from playbooks.deployment.errors import UsageError
from playbooks.deployment.manifests import record, rights
from playbooks.deployment.manifests.secret import HASH_KEY
from playbooks.deployment.removal import contained
from playbooks.deployment.removal.client import Client
from playbooks.deployment.request.options import Options, naming
from playbooks.deployment.request.request import Request
from playbooks.deployment.terminal import documents, print_messages


@dataclass(frozen=True)
class Invocation:
    """One call of ``deploy_playbook``: what was typed, and what it works with. ``client``: of the
    same cluster, by the playbooks' own ports."""

    options: Options
    environ: Mapping[str, str]
    cluster: ClusterObjects
    client: Client
    sleep: Sleep = time.sleep

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


def as_typed(options: Sequence[Option], own: Mapping[str, Any]) -> List[str]:
    """Those of them that were given, as they are typed. ``own``: that of Options."""
    return [
        word
        for option in options
        if option.name in own
        for word in (option.flags[0], *([str(own[option.name])] if option.metavar else []))
    ]


# Of every engine that takes an image.
IMAGE = Option(
    "image",
    ("-i", "--image"),
    "with -E kubernetes and -E knative: an image that has everything (Containerfile builds it);"
    " without it a stock Python image installs the packages when a pod starts. With -E openfaas:"
    " the image that faas-cli builds and pushes",
    "IMAGE",
)


def print_objects(made: Sequence[Manifest], *, show_secrets: bool) -> None:
    """As -d prints them: a Secret only where that is asked for. A warning names what it holds."""
    for secret in secrets_of(made):
        keys = ", ".join(key for key in secret["data"] if key != HASH_KEY)
        if keys and show_secrets:
            print_messages("warning", [f"this output contains {keys}, in the Secret"])
        elif keys:
            make = "deploy_playbook secrets makes it once, --show-secrets prints it"
            print_messages("warning", [f"{shown(secret)} ({keys}) is left out: {make}"])
    hidden = [] if show_secrets else secrets_of(made)
    print(documents([each for each in made if each not in hidden]), end="")


def secrets_of(manifests: Sequence[Manifest]) -> List[Manifest]:
    return [each for each in manifests if each["kind"] == "Secret"]


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

    def removal(self, request: Request, options: Options, *place: str) -> str:
        """The command that removes it. ``place``: further words."""
        named = naming(request.playbook.name, request.name)
        words = [*named, *as_typed(self.places, options.own), *place, *options.cluster]
        return f"deploy_playbook -x -E {self.name} {shlex.join(words)}"

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

    def _deployed(self, function: str, invocation: Invocation) -> Optional[Manifest]:
        """As ``record.find`` has it."""
        return record.find(invocation.cluster, function, self.namespace(invocation))

    @staticmethod
    def _names_playbook(options: Options) -> bool:
        """Whether a playbook has the name that was typed: it is no error to remove one again."""
        return bool({options.playbook, options.name} & {*catalogue.names()})

    @staticmethod
    def _settling(
        function: str, there: Optional[Manifest], invocation: Invocation
    ) -> Callable[[str], None]:
        """What releases, or leaves, what it contains, as it was asked for: ``contained.settle`` of
        its ``nothing``. ``there``: the function as it is deployed."""
        options, cluster = invocation.options, invocation.cluster
        found = contained.of_function(cluster, there, invocation.client) if there else None
        if found and found.elsewhere:
            said = f"LEDGER of {function} names ConfigMap {found.elsewhere}, in another namespace"
            print_messages("warning", [f"{said}: what {function} contains is read there"])
        leave = options.leave_contained
        return partial(contained.settle, found, function, release=options.release, leave=leave)
