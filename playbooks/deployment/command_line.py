"""The command line of ``deploy_playbook``: its options, and what each of its commands runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Collection, List, Mapping, Optional, Sequence

import click
from click.shell_completion import CompletionItem

from playbooks.deployment import VERSION, verbs
from playbooks.deployment.engines import registry
from playbooks.deployment.engines.engine import Option
from playbooks.deployment.errors import UsageError, meant
from playbooks.deployment.nats.manifests import IMAGE as NATS_IMAGE
from playbooks.deployment.parameters import SHELLS, Kind, completion_script, playbooks
from playbooks.deployment.request import by_name
from playbooks.deployment.request.options import DEFAULT_RUNTIME, Options, only_given
from playbooks.deployment.verbs import Tools

PROGRAM = "deploy_playbook"

# The command that runs where no other is typed. Its own name is not part of the interface.
_DEPLOY = "deploy"

# Options that change something, or print something else.
_NOT_FOR_DIFF = (
    *("set_up", "with_nats", "nats_image"),
    *("show", "show_secrets", "yes", "remove", "list", "release", "leave_contained"),
    *("timeout", "no_wait", "keep_failed"),
)

# The options of the other verbs.
_WHERE = ("namespace", "context", "kubeconfig")
_SETTLING = ("release", "leave_contained")
_FOR_REMOVE = ("playbook", "name", "described", *_WHERE, "engine", *_SETTLING)
_FOR_NATS = ("with_nats", "nats_image", "image", "playbook", "name", "values")
_FOR_SET_UP = (*_WHERE, "show", "show_secrets", *_FOR_NATS)
_FOR_GET = ("playbook", "name", *_WHERE)

_EXAMPLES = """\
Examples:
  deploy_playbook -p slack -s SLACK_WEBHOOK_URL=slack/url -t "falco.error.*"
  deploy_playbook -p slack -e SLACK_WEBHOOK_URL=@webhook.txt -N audit -t "falco.>"
  deploy_playbook -p delete -e NAMESPACES=shop -t "falco.critical.*" -n responders
  deploy_playbook --context staging -d -p delete -t "falco.>"
  deploy_playbook -E kubernetes -i registry.example/falco-playbooks:1 -R 2 -p delete -t "falco.>"
  deploy_playbook -p delete --reuse-settings -R 2 -n responders
  deploy_playbook -f delete.yaml
  deploy_playbook -x -p delete -n responders
  deploy_playbook -E local -p delete -t "falco.>" alerts.jsonl

Completion, for bash (also for zsh and fish):
  eval "$(deploy_playbook completion bash)"
"""


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
        commands = [
            (n, c.get_short_help_str(limit=80)) for n, c in program.commands.items() if c != self
        ]
        with formatter.section("Commands"):
            formatter.write_dl(commands)
        formatter.write(f"\n{_EXAMPLES}")


class _Program(click.Group):
    """A group whose first word is one of its commands, or whose words are all for ``deploy``."""

    def parse_args(self, ctx: click.Context, args: List[str]) -> List[str]:
        if not args:
            args = [_DEPLOY, "--help"]
        # A word that is neither a command nor a file of alerts.
        alike = meant(args[0], self.commands, alike=0.7)
        if alike and not Path(args[0]).exists():
            raise click.UsageError(f"no such command {args[0]!r}{alike}")
        return super().parse_args(ctx, args if args[0] in self.commands else [_DEPLOY, *args])


program = _Program(PROGRAM, add_help_option=False)


@click.pass_obj
def _deploy(tools: Tools, /, **typed: Any) -> int:
    options = _options(typed)
    if options.list:
        return verbs.list_playbooks(options, tools)
    if not options.set_up and (options.with_nats or options.nats_image):
        raise UsageError(["--with-nats and --nats-image are for -S only"])
    if options.set_up:
        others = _beside(("set_up", "yes", *_FOR_SET_UP), typed)
        if others:
            raise UsageError([f"-S only sets the cluster up: take out {others}"])
        return verbs.set_the_cluster_up(options, tools)
    if options.remove:
        return verbs.remove(options, tools)
    if options.release or options.leave_contained:
        raise UsageError(["--release and --leave-contained are for -x only"])
    if options.show_secrets and not options.show:
        raise UsageError(["--show-secrets is for -d only"])
    return verbs.deploy(options, tools)


def _beside(known: Collection[str], typed: Mapping[str, Any]) -> str:
    """The flags of the options that were given and are not known."""
    given = [p for p in deploy.params if typed.get(str(p.name)) not in (None, False, (), "")]
    return ", ".join(each.opts[0] for each in given if each.name not in known)


def _typed(verb: Callable[[Options, Tools], int]) -> Callable[..., int]:
    """The verb, of what is typed."""

    @click.pass_obj
    def run_it(tools: Tools, /, **typed: Any) -> int:
        return verb(_options(typed), tools)

    return run_it


@click.pass_obj
def _get(tools: Tools, /, everywhere: bool, **typed: Any) -> int:
    return verbs.get(_options(typed), tools, everywhere=everywhere)


def _completion(shell: str) -> int:
    print(completion_script(program, PROGRAM, f"_{PROGRAM.upper()}_COMPLETE", shell))
    return 0


def _options(typed: Mapping[str, Any]) -> Options:
    known = [option.name for option in registry.own_options()]
    own = only_given({name: typed.get(name) for name in known})
    rest = {name: value for name, value in typed.items() if name not in known}
    rest["engine"] = typed.get("engine") or ""
    if typed.get("playbook"):
        rest["playbook"] = by_name.named(typed["playbook"])
    return Options(**rest, own=own)


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
    flags = " ".join([*option.flags, option.name])
    if not option.metavar:
        return _option(flags, option.help)
    kind = option.kind if option.kind in (int, str) else Kind(option.kind)
    return _option(flags, option.help, option.metavar, type=kind)


def _option(flags: str, help: str, metavar: str = "", **attributes: Any) -> click.Option:
    """``flags``: with the name of its value, where that is another. A switch without a metavar."""
    if metavar:
        return click.Option(flags.split(), help=help, metavar=metavar, **attributes)
    return click.Option(flags.split(), help=help, is_flag=True, **attributes)


def _parameters() -> List[click.Parameter]:
    return [
        _option(
            "-p --playbook",
            "which one; -l lists them. One of yours: its file, such as ./quarantine.py, or an"
            " installed package with an entry point in the group falco_playbooks",
            "PLAYBOOK",
            shell_complete=playbooks,
        ),
        _option(
            "-f --filename described",
            "playbooks that a YAML file describes (- for stdin); what is typed wins; again for"
            " more",
            "FILE",
            multiple=True,
        ),
        _option(
            "-t --topic topics",
            "NATS topic to answer, such as 'falco.error.*'; again for more",
            "TOPIC",
            multiple=True,
        ),
        _option(
            "-e --env values",
            "a setting; NAME=@FILE reads its value from a file, as UTF-8 text without the line ends"
            " at its end; again for more",
            "NAME=VALUE",
            multiple=True,
        ),
        _option(
            "-s --secret references",
            "a setting from a Secret that is in the namespace already; again for more",
            "NAME=SECRET/KEY",
            multiple=True,
        ),
        _option("-n --namespace", "default: the kubeconfig's, as kubectl", "NAMESPACE"),
        _option(
            "--context",
            "context of the kubeconfig; default: the current one, as kubectl",
            "NAME",
            default="",
        ),
        _option(
            "--kubeconfig",
            "default: KUBECONFIG, else ~/.kube/config, as kubectl",
            "FILE",
            default="",
        ),
        _option(
            "-N --name",
            "deploys falco-NAME, so that a playbook can be deployed twice; default: PLAYBOOK",
            "NAME",
        ),
        _option("-r --runtime", f"Kubeless runtime (default {DEFAULT_RUNTIME})", "RUNTIME"),
        _option(
            "-E --engine",
            _engine_help(),
            "ENGINE",
            type=click.Choice([registry.AUTO, *registry.known()]),
        ),
        *(_of_engine(option) for option in registry.own_options()),
        _option(
            "-S --set-up",
            "set the cluster up for -E kubernetes, create the admission policies that limit what"
            " playbooks' accounts may change, and remove roles whose function is gone",
        ),
        _option(
            "--with-nats",
            "with -S: also set up NATS in the namespace nats-io, with JetStream, bounded streams"
            " and users; -p and -n name a worker that gets a user",
        ),
        _option(
            "--nats-image",
            "with --with-nats: the image of NATS; default: the one that it has from another"
            f" registry, else {NATS_IMAGE}",
            "IMAGE",
            default="",
        ),
        _option(
            "-d --dry-run show", "print what would be deployed, without Secrets, and change nothing"
        ),
        _option("--show-secrets", "with -d: print the Secrets, too"),
        _option("--force", "also deploy a topic that no alert can match"),
        _option(
            "--reuse-settings reuse",
            "keep the topics, settings, image, replicas, patch and runtime that are deployed, where"
            " others are not given",
        ),
        _option("-y --yes", "do not ask where this loses settings or gives more rights"),
        _option("-x --remove", "remove what was deployed"),
        _option(
            "--granted",
            "an administrator made what lies outside of the namespace: leave that as it is",
        ),
        _option(
            "--release", "with -x: release first what the playbook contains, such as isolated pods"
        ),
        _option(
            "--leave-contained", "with -x: leave what the playbook contains as it is, and name it"
        ),
        _option("-l --list", "list the playbooks with their settings, or the one of -p"),
    ]


_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}

deploy = _Deploy(
    _DEPLOY,
    callback=_deploy,
    params=_parameters(),
    help="Deploy a playbook that answers the Falco alerts of some NATS topics.",
    context_settings=_CONTEXT,
)
click.version_option(VERSION, "--version", prog_name=PROGRAM)(deploy)


def _named(*names: str) -> List[click.Parameter]:
    return [parameter for parameter in _parameters() if parameter.name in names]


def _without(*names: str) -> List[click.Parameter]:
    return [parameter for parameter in _parameters() if parameter.name not in names]


def _command(
    name: str, callback: Callable[..., int], help: str, **attributes: Any
) -> click.Command:
    return click.Command(
        name, callback=callback, help=help, context_settings=_CONTEXT, **attributes
    )


for _each in (
    deploy,
    _command(
        "diff",
        _typed(verbs.diff),
        "Show what would change.",
        params=_without(*_NOT_FOR_DIFF),
        epilog="Exit code: 0 where nothing would change, 1 where something would, else 2.",
    ),
    _command(
        "remove",
        _typed(verbs.remove),
        "Remove what was deployed, as -x does.",
        params=_named(*_FOR_REMOVE, *registry.places()),
    ),
    _command(
        "secrets",
        _typed(verbs.make_secrets),
        "Make the Secret that what -d prints refers to, once.",
        params=_without(*_NOT_FOR_DIFF),
    ),
    _command(
        "list",
        _typed(verbs.list_playbooks),
        "List the playbooks with their settings, as -l does.",
        params=_named("playbook"),
    ),
    _command(
        "set-up",
        _typed(verbs.set_the_cluster_up),
        "Set the cluster up, as -S does.",
        params=_named(*_FOR_SET_UP),
    ),
    _command(
        "get",
        _get,
        "Print what is deployed as a file that -f takes.",
        params=[
            *_named(*_FOR_GET),
            _option("-A --all-namespaces everywhere", "of all"),
            _option(
                "-o --output",
                "the format: YAML",
                "[yaml]",
                type=click.Choice(["yaml"]),
                default="yaml",
                expose_value=False,
            ),
        ],
    ),
    _command(
        "completion",
        _completion,
        f"Print the completion script of a shell: source <({PROGRAM} completion bash)",
        params=[click.Argument(["shell"], type=click.Choice(SHELLS))],
    ),
):
    program.add_command(_each)
