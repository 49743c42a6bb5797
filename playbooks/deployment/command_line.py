"""The command line of ``deploy_playbook``: its options, and what each of its commands runs."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

import click
from click.shell_completion import CompletionItem

from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.errors import PlaybookError
from playbooks.deployment import VERSION
from playbooks.deployment.apply import preflight, set_up
from playbooks.deployment.apply.orphaned_roles import remove_orphans_unless
from playbooks.deployment.apply.waiting import Sleep
from playbooks.deployment.engines import registry
from playbooks.deployment.engines.engine import Engine, Invocation, Option
from playbooks.deployment.engines.reuse import reused
from playbooks.deployment.errors import UsageError, exit_code
from playbooks.deployment.request import catalogue
from playbooks.deployment.request.names import name_problems, namespace_problems
from playbooks.deployment.request.options import DEFAULT_RUNTIME, Options
from playbooks.deployment.request.request import Request
from playbooks.deployment.tables import listing
from playbooks.deployment.terminal import documents, print_done, print_messages

PROGRAM = "deploy_playbook"

# The command that runs where no other is typed. Its own name is not part of the interface.
_DEPLOY = "deploy"

# Options that change something, or print something else.
_NOT_FOR_DIFF = ("set_up", "show", "yes", "remove", "list")

_EXAMPLES = """\
Examples:
  deploy_playbook -p slack -s SLACK_WEBHOOK_URL=slack/url -t "falco.error.*"
  deploy_playbook -p slack -e SLACK_WEBHOOK_URL=@webhook.txt -N audit -t "falco.>"
  deploy_playbook -p delete -e NAMESPACES=shop -t "falco.critical.*" -n responders
  deploy_playbook --context staging -d -p delete -t "falco.>"
  deploy_playbook -E kubernetes -i registry.example/falco-playbooks:1 -R 2 -p delete -t "falco.>"
  deploy_playbook -p delete --reuse-settings -R 2 -n responders
  deploy_playbook -x -p delete -n responders
  deploy_playbook -E local -p delete -t "falco.>" alerts.jsonl

Completion, for bash (zsh and fish work alike):
  eval "$(_DEPLOY_PLAYBOOK_COMPLETE=bash_source deploy_playbook)"
"""


@dataclass(frozen=True)
class Tools:
    """What commands work with. ``connect``: gives the cluster of a kubeconfig's context, or of the
    current one where it is empty."""

    environ: Mapping[str, str]
    connect: Callable[[str], ClusterObjects]
    sleep: Sleep = time.sleep


def run(arguments: Sequence[str], tools: Tools) -> int:
    """The exit code. Raises DeploymentError."""
    try:
        return int(program.main(list(arguments), PROGRAM, standalone_mode=False, obj=tools) or 0)
    except click.UsageError as error:
        raise UsageError(
            [f"{error.format_message()} ({PROGRAM} -h shows how it is used)"]
        ) from None
    except click.Abort:
        raise KeyboardInterrupt from None


def parse(arguments: Sequence[str]) -> Options:
    """What is typed to deploy something. Raises click.UsageError."""
    return _options(deploy.make_context(PROGRAM, list(arguments)).params)


class _Deploy(click.Command):
    """The command without a name."""

    def make_context(
        self,
        info_name: Optional[str],
        args: List[str],
        parent: Optional[click.Context] = None,
        **extra: Any,
    ) -> click.Context:
        """Messages name the program alone."""
        found = parent and parent.find_root().obj
        return super().make_context(PROGRAM, args, None, **{"obj": found, **extra})

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The examples, as they are typed."""
        commands = [(n, c.get_short_help_str()) for n, c in program.commands.items() if c != self]
        if commands:
            with formatter.section("Commands"):
                formatter.write_dl(commands)
        formatter.write(f"\n{_EXAMPLES}")


class _Program(click.Group):
    """A group whose first word is one of its commands, or whose words are all for ``deploy``."""

    def parse_args(self, ctx: click.Context, args: List[str]) -> List[str]:
        if not args:
            args = [_DEPLOY, "--help"]
        return super().parse_args(ctx, args if args[0] in self.commands else [_DEPLOY, *args])


program = _Program(PROGRAM, add_help_option=False)


def _deploy(**typed: Any) -> int:
    options = _options(typed)
    tools: Tools = click.get_current_context().obj
    if options.list:
        print(listing(), end="")
        return 0
    if options.set_up and options.show:
        print(documents(set_up.manifests()), end="")
        return 0
    invocation = Invocation(options, tools.environ, tools.connect(options.context), tools.sleep)
    if options.set_up:
        return _set_up(invocation)
    if options.remove:
        return _remove(invocation)
    engine, wanted, invocation = _chosen(invocation)
    if options.show:
        engine.show(wanted, invocation)
        return 0
    return engine.deploy(wanted, invocation)


def _diff(**typed: Any) -> int:
    """1 says that something differs, so that an error is 2 or more, as kubectl diff has it."""
    options = _options(typed)
    tools: Tools = click.get_current_context().obj
    try:
        engine, wanted, invocation = _chosen(
            Invocation(options, tools.environ, tools.connect(options.context), tools.sleep)
        )
        return engine.diff(wanted, invocation)
    except PlaybookError as error:
        print_messages("error", str(error).splitlines())
        return max(exit_code(error), 2)


def _chosen(invocation: Invocation) -> Tuple[Engine, Request, Invocation]:
    """The engine, and what is wanted of it, with the deployed settings where they are to stay."""
    engine = registry.named(invocation.options.engine)
    if invocation.options.reuse:
        invocation = replace(invocation, options=reused(invocation, engine))
    options = invocation.options
    wanted = registry.checked(options, engine)
    print_messages("warning", wanted.warnings)
    if options.engine == registry.AUTO:
        chosen = registry.choose(invocation)
        # What is for kubernetes only means nothing to another engine.
        wanted = wanted if chosen is engine else registry.checked(options, chosen)
        engine = chosen
    return engine, wanted, invocation


def _set_up(invocation: Invocation) -> int:
    preflight.check_answers(invocation.cluster)
    print_done(set_up.set_up(invocation.cluster, sleep=invocation.sleep))
    remove_orphans_unless([], invocation.cluster)
    return 0


def _remove(invocation: Invocation) -> int:
    options = invocation.options
    name = options.name or options.playbook
    if not name:
        raise UsageError(["what is to be removed? -p PLAYBOOK, or -N NAME as it was deployed"])
    problems = name_problems(name)
    if options.namespace is not None:
        problems += namespace_problems(options.namespace)
    if problems:
        raise UsageError(problems)
    registry.named(options.engine).remove(f"falco-{name}", invocation)
    return 0


def _options(typed: Mapping[str, Any]) -> Options:
    own = {option.name: typed[option.name] for option in registry.own_options()}
    rest = {name: value for name, value in typed.items() if name not in own}
    given = {n: value for n, value in own.items() if value is not None and value is not False}
    return Options(**rest, own={n: value for n, value in given.items() if value != ()})


def _playbooks(ctx: click.Context, param: click.Parameter, incomplete: str) -> List[CompletionItem]:
    return [
        CompletionItem(name, help=catalogue.summary(name))
        for name in catalogue.names()
        if name.startswith(incomplete)
    ]


def _words(ctx: click.Context, param: click.Parameter, incomplete: str) -> List[CompletionItem]:
    """Commands, where one may be typed, and files."""
    commands = [name for name in program.commands if name != _DEPLOY]
    found = [CompletionItem(name) for name in commands if name.startswith(incomplete)]
    return [*found, CompletionItem(incomplete, type="file")]


def _engine_help() -> str:
    engines = registry.known().values()
    which = "; ".join(f"{engine.name}, {engine.summary}" for engine in engines)
    return (
        f"what calls the playbook: {which}; auto, kubeless where its controller is ready in the"
        " cluster and else kubernetes"
    )


def _of_engine(option: Option) -> click.Parameter:
    if not option.flags:
        return click.Argument(
            [option.name], metavar=f"[{option.metavar}]...", nargs=-1, shell_complete=_words
        )
    named = [*option.flags, option.name]
    if not option.metavar:
        return click.Option(named, is_flag=True, help=option.help)
    return click.Option(named, metavar=option.metavar, type=option.kind, help=option.help)


def _parameters() -> List[click.Parameter]:
    repeated: Dict[str, Any] = {"multiple": True}
    return [
        click.Option(
            ["-p", "--playbook"],
            metavar="PLAYBOOK",
            help="which one; -l lists them",
            shell_complete=_playbooks,
        ),
        click.Option(
            ["-t", "--topic", "topics"],
            metavar="TOPIC",
            **repeated,
            help="NATS topic to answer, such as 'falco.error.*'; again for more",
        ),
        click.Option(
            ["-e", "--env", "values"],
            metavar="NAME=VALUE",
            **repeated,
            help="a setting; NAME=@FILE reads its value from a file, as UTF-8 text without the line"
            " ends at its end; again for more",
        ),
        click.Option(
            ["-s", "--secret", "references"],
            metavar="NAME=SECRET/KEY",
            **repeated,
            help="a setting from a Secret that is in the namespace already; again for more",
        ),
        click.Option(
            ["-n", "--namespace"], metavar="NAMESPACE", help="default: the kubeconfig's, as kubectl"
        ),
        click.Option(
            ["--context"],
            metavar="NAME",
            default="",
            help="context of the kubeconfig; default: the current one, as kubectl",
        ),
        click.Option(
            ["-N", "--name"],
            metavar="NAME",
            help="deploys falco-NAME, so that a playbook can be deployed twice; default: PLAYBOOK",
        ),
        click.Option(
            ["-r", "--runtime"],
            metavar="RUNTIME",
            help=f"Kubeless runtime (default {DEFAULT_RUNTIME})",
        ),
        click.Option(
            ["-E", "--engine"],
            type=click.Choice([registry.AUTO, *registry.known()]),
            metavar="ENGINE",
            default=registry.AUTO,
            help=_engine_help(),
        ),
        *(_of_engine(option) for option in registry.own_options()),
        click.Option(
            ["-S", "--set-up"],
            is_flag=True,
            help="set the cluster up for -E kubernetes, create the admission policies that limit"
            " what playbooks' accounts may change, and remove roles whose function is gone",
        ),
        click.Option(
            ["-d", "--dry-run", "show"],
            is_flag=True,
            help="print what would be deployed, change nothing",
        ),
        click.Option(["--force"], is_flag=True, help="also deploy a topic that no alert can match"),
        click.Option(
            ["--reuse-settings", "reuse"],
            is_flag=True,
            help="keep the topics, settings, image, replicas, patch and runtime that are deployed,"
            " where others are not given",
        ),
        click.Option(
            ["-y", "--yes"],
            is_flag=True,
            help="do not ask where deploying again loses settings or gives more rights",
        ),
        click.Option(["-x", "--remove"], is_flag=True, help="remove what was deployed"),
        click.Option(["-l", "--list"], is_flag=True, help="list the playbooks with their settings"),
    ]


deploy = _Deploy(
    _DEPLOY,
    callback=_deploy,
    params=_parameters(),
    help="Deploy a playbook that answers the Falco alerts of some NATS topics.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
click.version_option(VERSION, "--version", prog_name=PROGRAM)(deploy)
program.add_command(deploy)
program.add_command(
    click.Command(
        "diff",
        callback=_diff,
        params=[p for p in _parameters() if p.name not in _NOT_FOR_DIFF],
        help="Show what would change.",
        epilog="Exit code: 0 where nothing would change, 1 where something would, else 2.",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
)
