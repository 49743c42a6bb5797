"""The command line of ``deploy_playbook``."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import NoReturn, Optional, Sequence, Tuple

from playbooks.deployment.errors import UsageError

ENGINES = ("auto", "kubeless", "kubernetes", "local")
DEFAULT_RUNTIME = "python3.8"

_EXAMPLES = """\
examples:
  deploy_playbook -p slack -e SLACK_WEBHOOK_URL="https://..." -t "falco.error.*"
  deploy_playbook -p slack -s SLACK_WEBHOOK_URL=slack/url -N audit -t "falco.>"
  deploy_playbook -p delete -e NAMESPACES=shop -t "falco.critical.*" -n responders
  deploy_playbook -E kubernetes -i registry.example/falco-playbooks:1 -R 2 -p delete -t "falco.>"
  deploy_playbook -x -p delete -n responders
  deploy_playbook -E local -p delete -t "falco.>" alerts.jsonl
"""


@dataclass(frozen=True)
class Options:
    """What was typed, not checked yet. ``files``, ``http_port`` and ``reasons`` are for
    ``-E local`` only,
    ``image``, ``replicas`` and ``patch`` for ``-E kubernetes``."""

    playbook: Optional[str] = None
    values: Tuple[str, ...] = ()
    references: Tuple[str, ...] = ()
    topics: Tuple[str, ...] = ()
    namespace: Optional[str] = None
    name: Optional[str] = None
    runtime: str = DEFAULT_RUNTIME
    engine: str = "auto"
    image: Optional[str] = None
    replicas: Optional[int] = None
    patch: Optional[str] = None
    set_up: bool = False
    show: bool = False
    remove: bool = False
    list: bool = False
    files: Tuple[str, ...] = ()
    http_port: Optional[int] = None
    reasons: bool = False


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError([f"{message} (deploy_playbook -h shows how it is used)"])


def parse(arguments: Sequence[str]) -> Options:
    """Raises UsageError; ``-h`` prints and exits."""
    typed = _parser().parse_intermixed_args(arguments)
    options = Options(
        playbook=typed.playbook,
        values=tuple(typed.values),
        references=tuple(typed.references),
        topics=tuple(typed.topics),
        namespace=typed.namespace,
        name=typed.name,
        runtime=typed.runtime,
        engine=typed.engine,
        image=typed.image,
        replicas=typed.replicas,
        patch=typed.patch,
        set_up=typed.set_up,
        show=typed.show,
        remove=typed.remove,
        list=typed.list,
        files=tuple(typed.files),
        http_port=typed.http_port,
        reasons=typed.reasons,
    )
    if options.engine != "local" and options.reasons:
        raise UsageError(["-v: only -E local shows each alert's outcome"])
    if options.engine != "local" and (options.files or options.http_port is not None):
        given = " ".join(options.files) or "--http"
        raise UsageError([f"{given}: only -E local reads alerts from files or by HTTP"])
    return options


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="deploy_playbook",
        description="Deploy a playbook that answers the Falco alerts of some NATS topics.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("-p", dest="playbook", metavar="PLAYBOOK", help="which one; -l lists them")
    add(
        "-t",
        dest="topics",
        metavar="TOPIC",
        action="append",
        default=[],
        help="NATS topic to answer, such as 'falco.error.*'; again for more",
    )
    add(
        "-e",
        dest="values",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="a setting; NAME=@FILE reads its value from a file, as UTF-8 text without the line"
        " ends at its end; again for more",
    )
    add(
        "-s",
        dest="references",
        metavar="NAME=SECRET/KEY",
        action="append",
        default=[],
        help="a setting from a Secret that is in the namespace already; again for more",
    )
    add("-n", dest="namespace", metavar="NAMESPACE", help="default: the kubeconfig's, as kubectl")
    add(
        "-N",
        dest="name",
        metavar="NAME",
        help="deploys falco-NAME, so that a playbook can be deployed twice; default: PLAYBOOK",
    )
    add(
        "-r", dest="runtime", default=DEFAULT_RUNTIME, help="Kubeless runtime (default %(default)s)"
    )
    add(
        "-E",
        dest="engine",
        choices=ENGINES,
        default="auto",
        help="what calls the playbook: kubeless; kubernetes, a worker of its own; auto (default),"
        " kubeless where its controller is ready in the cluster and else kubernetes; local, this"
        " machine, in the foreground",
    )
    add(
        "-i",
        dest="image",
        metavar="IMAGE",
        help="with -E kubernetes: an image that has everything (Containerfile builds it); without"
        " it a stock Python image installs the packages when a pod starts",
    )
    add(
        "-R",
        dest="replicas",
        metavar="REPLICAS",
        type=int,
        help="with -E kubernetes: how many workers share the alerts; default 1",
    )
    add(
        "-P",
        dest="patch",
        metavar="FILE",
        help="with -E kubernetes: a patch of the pod template, as YAML or JSON",
    )
    add(
        "-S",
        dest="set_up",
        action="store_true",
        help="set the cluster up for -E kubernetes, hold the accounts of isolate and taint to what"
        " they need, and sweep what functions left that are gone",
    )
    add("-d", dest="show", action="store_true", help="print the objects as YAML, change nothing")
    add("-x", dest="remove", action="store_true", help="remove what was deployed")
    add("-l", dest="list", action="store_true", help="list the playbooks with their settings")
    add(
        "--http",
        dest="http_port",
        metavar="PORT",
        type=int,
        help="with -E local: take alerts by HTTP POST on this port of the loopback",
    )
    add(
        "-v",
        dest="reasons",
        action="store_true",
        help="with -E local: under each outcome, every check that led to it",
    )
    add("files", metavar="FILE", nargs="*", help="with -E local: alerts, one a line; - for stdin")
    return parser
