"""The command line of ``falco-playbook``."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import List, NoReturn, Optional, Sequence, Tuple

from playbooks.commands import containing
from playbooks.core.instant import duration
from playbooks.deployment.errors import UsageError
from playbooks.deployment.request.names import name_problems, namespace_problems

# How far back one looks, and how far one can, in seconds.
SINCE, LONGEST = "24h", 365 * 86400

_EXAMPLES = """\
examples:
  falco-playbook check -p isolate -n responders
  falco-playbook dead -p delete -n responders
  falco-playbook dead -p delete -o json | jq '.[] | select(.reason == "invalid-alert") | .body'
  falco-playbook dead -p delete --redeliver
  falco-playbook dead -p delete --redeliver 17 18
  falco-playbook dead -p delete --drop 17
  curl -H "Authorization: Bearer $(falco-playbook token -p delete)" ...
  falco-playbook token -p delete --rotate
  falco-playbook pause --all --why "maintenance of the nodes"
  falco-playbook resume -p delete
  falco-playbook reset -p delete --budget-of shop
  falco-playbook simulate -p isolate -t "falco.critical.*" -f alerts.jsonl
  falco-playbook simulate -p delete --since 7d -o html > last-week.html
  falco-playbook undo pod/web-1 -n shop
  falco-playbook undo node/worker-3
  falco-playbook history -p delete --since 7d
"""


@dataclass(frozen=True)
class Options:
    """What was typed, checked as far as that is possible without a cluster.

    ``function``: falco-<name>; empty with ``all``, and for undo and sweep where it is every one of
    the ``playbook``. ``namespace`` None: the kubeconfig's; with ``all`` and for sweep every one.
    ``playbook`` and ``image``: as they were typed. ``ids`` empty: all of them. ``budget_of`` empty:
    of every namespace. ``target``: pod or node, and its name. ``ledger``: as the setting, or off;
    empty: that of the function. ``by`` empty: whoever the cluster says. ``since``: seconds to look
    back; ``skips``: what was skipped is wanted too.
    """

    command: str
    function: str
    playbook: str = ""
    namespace: Optional[str] = None
    output: str = "text"
    redeliver: bool = False
    drop: bool = False
    ids: Tuple[int, ...] = ()
    rotate: bool = False
    image: Optional[str] = None
    all: bool = False
    why: str = ""
    budget_of: str = ""
    target: Tuple[str, str] = ("", "")
    force: bool = False
    by: str = ""
    ledger: str = ""
    topics: Tuple[str, ...] = ("falco.>",)
    files: Tuple[str, ...] = ()
    since: Optional[float] = None
    values: Tuple[str, ...] = ()
    replicas: Optional[int] = None
    skips: bool = False

    @property
    def json(self) -> bool:
        return self.output == "json"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError([f"{message} ({self.prog} -h shows how it is used)"])


def parse(arguments: Sequence[str]) -> Options:
    """Raises UsageError with everything that is wrong; ``-h`` prints and exits."""
    typed = _parser().parse_args(arguments)
    if typed.command in containing.COMMANDS:
        return _containing(typed)
    redeliver, drop = getattr(typed, "redeliver", None), getattr(typed, "drop", None)
    given = redeliver or drop or ()
    name = typed.name or typed.playbook or ""
    everything = getattr(typed, "all", False)
    problems = _which_problems(name, everything) + name_problems(name)
    budget_of = getattr(typed, "budget_of", None)
    if budget_of is not None:
        problems += namespace_problems(budget_of)
    if typed.namespace is not None:
        problems += namespace_problems(typed.namespace)
    option = "--drop" if drop else "--redeliver"
    problems += [p for text in given for p in _id_problems(option, text)]
    image = getattr(typed, "image", None)
    if image is not None and (not image or image.split() != [image]):
        problems.append(f"--image is {image!r}, expected the name of an image")
    if problems:
        raise UsageError(problems)
    return Options(
        command=typed.command,
        function=f"falco-{name}" if name else "",
        playbook=typed.playbook or "",
        namespace=typed.namespace,
        output=typed.output,
        redeliver=redeliver is not None,
        drop=drop is not None,
        ids=tuple(sorted({int(text) for text in given})),
        rotate=getattr(typed, "rotate", False),
        image=image,
        all=everything,
        why=getattr(typed, "why", ""),
        budget_of=budget_of or "",
        topics=tuple(getattr(typed, "topics", None) or ("falco.>",)),
        files=tuple(getattr(typed, "files", ())),
        since=getattr(typed, "since", None),
        values=tuple(getattr(typed, "values", ())),
        replicas=getattr(typed, "replicas", None),
        skips=getattr(typed, "skips", False),
    )


def _which_problems(name: str, everything: bool) -> List[str]:
    if everything:
        return ["--all is every playbook: neither -p nor -N goes with it"] if name else []
    return [] if name else ["no playbook is given: -p PLAYBOOK, or -N NAME as on deploying"]


def _containing(typed: argparse.Namespace) -> Options:
    """Of undo and sweep, which go by what was contained."""
    problems = containing.problems(typed) + name_problems(typed.name or "")
    if typed.namespace is not None:
        problems += namespace_problems(typed.namespace)
    if problems:
        raise UsageError(problems)
    return Options(
        command=typed.command,
        function=f"falco-{typed.name}" if typed.name else "",
        namespace=typed.namespace,
        output=typed.output,
        playbook=typed.playbook or "",
        target=containing.target(typed),
        force=getattr(typed, "force", False),
        by=getattr(typed, "by", ""),
        ledger=typed.ledger,
    )


def _id_problems(option: str, text: str) -> List[str]:
    if text.isascii() and text.isdigit() and len(text) < 20 and int(text):
        return []
    return [f"{option} {text!r} is no id, expected a number as 'dead' lists them"]


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="falco-playbook",
        description="What one does with a playbook after deploying it.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    check = _command(commands, "check", "say whether this cluster is ready for the playbook")
    check.add_argument(
        "--image",
        metavar="IMAGE",
        help="with -p isolate: that of two short-lived pods, with Python; default: the worker's",
    )
    dead = _command(
        commands, "dead", "list the alerts that were given up, put them back or drop them"
    )
    what = dead.add_mutually_exclusive_group()
    what.add_argument(
        "--redeliver",
        metavar="ID",
        nargs="*",
        help="put these back, or all without an ID: the worker answers them anew, and they are"
        " dead letters no more",
    )
    what.add_argument(
        "--drop",
        metavar="ID",
        nargs="*",
        help="remove these, or all without an ID: nobody answers them any more; the worker's log"
        " says who dropped what",
    )
    token = _command(commands, "token", "print the bearer token of the playbook's HTTP")
    token.add_argument(
        "--rotate",
        action="store_true",
        help="make a new one, wait until every worker takes it, and print it; the one before is"
        " worth nothing then",
    )
    _add_brake(commands)
    _add_history(commands)
    _add_simulate(commands)
    containing.add_undo(_command(commands, "undo", "release what a playbook contained"))
    containing.add_sweep(
        _command(commands, "sweep", "end what was contained for a time that is over")
    )
    return parser


def _add_brake(commands: argparse._SubParsersAction[_Parser]) -> None:
    pause = _command(commands, "pause", "let a playbook act no more, and hold its alerts")
    resume = _command(commands, "resume", "let a paused playbook act again")
    reset = _command(commands, "reset", "let a budget that is used up begin anew")
    pause.add_argument("--why", metavar="WORDS", default="", help="for the record")
    reset.add_argument(
        "--budget-of",
        metavar="NAMESPACE",
        help="of this namespace alone; default: of all, and the one that they share",
    )
    for command in (pause, resume, reset):
        command.add_argument(
            "--all", action="store_true", help="every playbook that has a ledger, instead of -p"
        )


def _add_history(commands: argparse._SubParsersAction[_Parser]) -> None:
    history = _command(
        commands,
        "history",
        "list what the playbook did, when, on what and why, by which alert, and what was undone",
        outputs=("text", "table", "json"),
    )
    history.add_argument(
        "--since",
        type=_seconds,
        metavar="TIME",
        default=SINCE,
        help=f"such as 90m or 7d; default: {SINCE}",
    )
    history.add_argument(
        "--skipped", dest="skips", action="store_true", help="with what was skipped"
    )


def _seconds(text: str) -> float:
    try:
        return duration(1, LONGEST)(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}, expected {error}") from None


def _add_simulate(commands: argparse._SubParsersAction[_Parser]) -> None:
    add = _command(
        commands,
        "simulate",
        "run past alerts through a playbook, and tell what it would have done",
        outputs=("text", "json", "html"),
    ).add_argument
    add("-t", dest="topics", metavar="TOPIC", action="append", help='default: "falco.>"')
    add(
        "-f",
        dest="files",
        metavar="FILE",
        action="append",
        default=[],
        help="alerts, one JSON object a line; - for standard input",
    )
    add(
        "--since",
        type=_seconds,
        metavar="TIME",
        help="instead of files: the alerts that the deployed playbook's stream has of, say, 7d",
    )
    add("-e", dest="values", metavar="NAME=VALUE", action="append", default=[], help="a setting")
    add(
        "--replicas",
        type=int,
        metavar="NUMBER",
        help="how many pods each workload is taken to have; without it MAX_PER_OWNER is left out",
    )


def _command(
    commands: argparse._SubParsersAction[_Parser],
    name: str,
    text: str,
    outputs: Sequence[str] = ("text", "json"),
) -> _Parser:
    command = commands.add_parser(name, help=text, description=f"{text}.", allow_abbrev=False)
    add = command.add_argument
    add("-p", dest="playbook", metavar="PLAYBOOK", help="the one that was deployed")
    add("-n", dest="namespace", metavar="NAMESPACE", help="default: the kubeconfig's, as kubectl")
    add("-N", dest="name", metavar="NAME", help="as on deploying: falco-NAME; default: PLAYBOOK")
    add("-o", "--output", dest="output", choices=outputs, default="text", help="default: text")
    return command
