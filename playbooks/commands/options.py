"""What the commands of ``falco-playbook`` share: their options, and what they act through."""

from __future__ import annotations

import functools
import re
import time
from dataclasses import dataclass, replace
from typing import Any, Callable, List, Mapping, Optional, Sequence, TypeVar, cast

import click

from playbooks.commands import PROGRAM
from playbooks.commands.targets.deployed import find
from playbooks.core.cluster.manifest import function_name
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.instant import duration
from playbooks.deployment.apply.waiting import Sleep
from playbooks.deployment.errors import UsageError
from playbooks.deployment.parameters import Kind, playbooks
from playbooks.deployment.removal.client import Client, client_for
from playbooks.deployment.request import by_name
from playbooks.deployment.request.names import place_problems
from playbooks.deployment.workers.deployed_function import DeployedFunction

F = TypeVar("F", bound=Callable[..., Any])

# A time to look back, such as ``90m`` or ``7d``, in seconds.
TIME_BACK = Kind(duration(1, 365 * 86400))

HELP = {"help_option_names": ["-h", "--help"]}

# ``-p=delete``, which click would read as the value "=delete".
_SHORT_WITH_VALUE = re.compile(r"-[A-Za-z]=")


class Command(click.Command):
    """``examples``: command lines without the program's name, shown below the help. ``details``: a
    paragraph of the help that the playbooks' declarations give, once somebody asks for it."""

    def __init__(
        self,
        name: str,
        *,
        examples: Sequence[str] = (),
        details: Optional[Callable[[], str]] = None,
        **attributes: Any,
    ) -> None:
        super().__init__(name, context_settings=HELP, **attributes)
        self._details = details
        lines = "\n".join(f"  {PROGRAM} {example}" for example in examples)
        self.epilog = f"\b\nExamples:\n{lines}"

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_help_text(ctx, formatter)
        if self._details:
            formatter.write_paragraph()
            with formatter.indentation():
                formatter.write_text(self._details())

    def parse_args(self, ctx: click.Context, args: List[str]) -> List[str]:
        apart = (a.split("=", 1) if _SHORT_WITH_VALUE.match(a) else [a] for a in args)
        return super().parse_args(ctx, [part for parts in apart for part in parts])


def command(
    *examples: str, name: Optional[str] = None, details: Optional[Callable[[], str]] = None
) -> Callable[[Callable[..., int]], Command]:
    """A command of the name of its function, or of another, whose docstring is its help."""
    return click.command(name, cls=Command, examples=examples, details=details)


@dataclass(frozen=True)
class Selection:
    """The deployed playbook that a command is about, as it was typed.

    ``name``: that of ``-N``. ``namespace`` None: the kubeconfig's.
    """

    playbook: str = ""
    name: str = ""
    namespace: Optional[str] = None

    @property
    def function(self) -> str:
        """``falco-NAME``; empty where neither a name nor a playbook was given."""
        name = self.name or self.playbook
        return function_name(name) if name else ""

    @property
    def named(self) -> str:
        """``falco-NAME`` of ``-N`` alone; empty for every Function of the playbook."""
        return function_name(self.name) if self.name else ""

    def check(self, *problems: str, required: bool = True) -> None:
        """Raises UsageError with these problems and those of the names.

        ``required``: that a playbook or a name is given.
        """
        found: List[str] = []
        if required and not self.function:
            found.append("no playbook is given: expected -p PLAYBOOK, or -N NAME as deployed")
        found += place_problems(self.name or self.playbook, self.namespace)
        if found or problems:
            raise UsageError([*found, *problems])


@dataclass(frozen=True)
class Session:
    """What the commands act through: the cluster of one ``context`` of the kubeconfig, empty for
    the current one. ``connect`` gives it by kubectl's verbs, ``client_of`` by the API."""

    connect: Callable[[str], ClusterObjects]
    environ: Mapping[str, str]
    client_of: Callable[[str], Client] = client_for
    sleep: Sleep = time.sleep
    context: str = ""

    @functools.cached_property
    def cluster(self) -> ClusterObjects:
        return self.connect(self.context)

    def client(self) -> Client:
        return self.client_of(self.context)

    def namespace(self, which: Selection) -> str:
        return which.namespace or self.cluster.current_namespace()

    def find(self, which: Selection) -> DeployedFunction:
        """Raises DeploymentError where no worker is deployed under this name."""
        return find(self.cluster, which.function, self.namespace(which))


def selects(command: F) -> F:
    """Gives a command the session and its Selection, ``which``, from -p, -n, -N and --context."""

    @click.option(
        "-p",
        "--playbook",
        metavar="PLAYBOOK",
        default="",
        shell_complete=playbooks,
        help="The playbook, as it was deployed, or its file.",
    )
    @click.option(
        "-n",
        "--namespace",
        metavar="NAMESPACE",
        help="The namespace. Default: that of the kubeconfig.",
    )
    @click.option(
        "-N",
        "--name",
        metavar="NAME",
        default="",
        help="The name given to deploy_playbook -N. Default: PLAYBOOK.",
    )
    @click.option(
        "--context",
        metavar="CONTEXT",
        default="",
        help="The context of the kubeconfig. Default: the current one.",
    )
    @click.pass_obj
    @functools.wraps(command)
    def selecting(
        session: Session,
        /,
        playbook: str,
        name: str,
        namespace: Optional[str],
        context: str,
        **others: Any,
    ) -> Any:
        which = Selection(by_name.named(playbook), name, namespace)
        return command(replace(session, context=context), which, **others)

    return cast(F, selecting)


def outputs(*formats: str) -> Callable[[F], F]:
    """``-o``, of which the first format is the default."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(formats),
        default=formats[0],
        show_default=True,
        help="The output format.",
    )
