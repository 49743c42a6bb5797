"""``falco-playbook simulate``: what a playbook would have done with past alerts."""

from __future__ import annotations

import base64
import json
import sys
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import click
from rich.console import Console
from rich.progress import Progress

from playbooks.commands import tell
from playbooks.commands.options import TIME_BACK, Selection, Session, command, outputs, selects
from playbooks.commands.state.document import changed as changed_settings
from playbooks.core.errors import InvalidSetting
from playbooks.core.evidence import settings as evidence
from playbooks.core.guards import DRY_RUN
from playbooks.core.ledger.limits import LEDGER, Limits
from playbooks.core.notifications import settings as notifications
from playbooks.core.playbook import Playbook
from playbooks.core.settings import read
from playbooks.deployment import terminal
from playbooks.deployment.errors import DeploymentError, UsageError
from playbooks.deployment.request import assignments, by_name
from playbooks.deployment.request.settings import declaration_problems
from playbooks.deployment.request.topics import problems as topic_problems
from playbooks.deployment.terminal import print_json
from playbooks.deployment.workers import in_pod
from playbooks.engines.worker.operator.protocol import ALERTS
from playbooks.simulation.replay import replay
from playbooks.simulation.report import page, show
from playbooks.simulation.summary import Summary, summarize

STANDARD_INPUT = "-"

# Topics where none are given.
ANY = ("falco.>",)

# Settings that decide nothing in a simulation: it never acts, posts or keeps anything.
WITHOUT = frozenset(
    setting.name for setting in (DRY_RUN, *notifications.SETTINGS, *evidence.SETTINGS)
) | {LEDGER.name}

# Columns of the tables where standard output is no terminal.
WIDTH = 160


_NODES = (
    "it knows no nodes but those that alerts name, and assumes others that take their pods; which"
    " nodes of a cluster {0} may change, 'falco-playbook check -p {0}' says"
)


@command(
    'simulate -p isolate -t "falco.critical.*" -f alerts.jsonl',
    "simulate -p delete --since 7d -o html > last-week.html",
    "simulate -p delete -f alerts.jsonl -e MAX_ACTIONS=3 -o json",
)
@selects
@outputs("text", "json", "html")
@click.option(
    "-t",
    "--topic",
    "topics",
    metavar="TOPIC",
    multiple=True,
    help="A topic that it answers. Repeat it for more. Default: falco.>, with --since those of the"
    " deployed playbook.",
)
@click.option(
    "-f",
    "--file",
    "files",
    metavar="FILE",
    multiple=True,
    type=click.Path(allow_dash=True),
    help="The alerts: a JSON object a line, one over several lines, or an array of them; - is"
    " standard input. Repeat it for more.",
)
@click.option(
    "--since",
    type=TIME_BACK,
    metavar="TIME",
    help="Instead of files: the alerts of the last TIME, such as 7d, in the stream of the deployed"
    " playbook, with its settings and topics.",
)
@click.option(
    "-e",
    "--env",
    "values",
    metavar="NAME=VALUE",
    multiple=True,
    help="A setting of the playbook. Repeat it for more. Default: the defaults, with --since those"
    " of the deployed playbook.",
)
@click.option(
    "--replicas",
    type=int,
    metavar="NUMBER",
    help="The pods that each workload is assumed to have. Without it MAX_PER_OWNER is not applied.",
)
def simulate(
    session: Session,
    which: Selection,
    output: str,
    topics: Sequence[str],
    files: Sequence[str],
    since: Optional[float],
    values: Sequence[str],
    replicas: Optional[int],
) -> int:
    """Show what a playbook would have done with past alerts.

    It runs the alerts through the playbook's own code, with their own clock, and changes nothing.
    It says which settings and topics it took, and what it left out. With -f it needs no cluster.
    """
    which.check(
        *topic_problems(topics or ANY),
        *_playbook_problems(which),
        *_source_problems(files, since),
        *_replica_problems(replicas),
    )
    playbook = by_name.load(which.playbook)
    given = _environ(values)
    if since is None:
        bodies = [line for file in files for line in _lines(file)]
        taken = Taken(given, tuple(topics) or ANY)
    else:
        bodies, taken = _deployed(session, which, since, playbook, given, topics)
    environ = taken.environ
    topics = taken.topics
    try:
        settings = read(playbook.settings, environ)
        with _progress(len(bodies)) as progress:
            replayed = replay(
                playbook, environ, topics, bodies, replicas=replicas, progress=progress
            )
    except InvalidSetting as error:
        raise UsageError([str(error)]) from error
    if playbook.reaction.TARGETS == "nodes":
        tell("note", [_NODES.format(playbook.name)])
    least = settings["MINIMUM_PRIORITY"]
    summary = summarize(playbook.name, topics, replayed, Limits.of(settings), least)
    left_out = [*taken.left_out, *_left_out(settings, replicas)]
    changed = {name: text for name, text in environ.items() if name in settings}
    _print(replace(summary, settings=changed, source=taken.source, left_out=left_out), output)
    return 0


def _left_out(settings: Mapping[str, Any], replicas: Optional[int]) -> Iterator[str]:
    """What the playbook would go by and a simulation does not know."""
    if not replicas and settings["MAX_PER_OWNER"] is not None:
        yield "MAX_PER_OWNER: --replicas says how many pods a workload has"
    yield "pauses, exemptions, and pods and actions that the alerts do not name"


def _playbook_problems(which: Selection) -> List[str]:
    name = which.playbook
    if not name:
        return ["-N is given without -p: expected the playbook, too"] if which.name else []
    try:
        playbook = by_name.load(name)
    except UsageError as error:
        return list(error.problems)
    if playbook.acts:
        return declaration_problems(playbook)
    return [f"{name} changes nothing in a cluster: there is nothing to simulate"]


def _source_problems(files: Sequence[str], since: Optional[float]) -> List[str]:
    if since is None and not files:
        return ["no alerts are given: expected -f FILE (- for standard input), or --since TIME"]
    if since is not None and files:
        return ["-f is not allowed with --since: the alerts are those of files, or of the stream"]
    return []


def _replica_problems(replicas: Optional[int]) -> List[str]:
    if replicas is None or replicas > 0:
        return []
    return [f"--replicas is {replicas}, expected a number from 1 on"]


def _environ(values: Sequence[str]) -> Dict[str, str]:
    problems: List[str] = []
    given = assignments.readable(assignments.value, values, problems)
    if problems:
        raise UsageError(problems)
    return {each.name: each.text for each in given}


@dataclass(frozen=True)
class Taken:
    """What a simulation runs with. ``environ``: the settings that are not their defaults.
    ``source``: where they come from, empty for what was typed. ``left_out``: deployed settings
    that it goes without."""

    environ: Mapping[str, str]
    topics: Sequence[str]
    source: str = ""
    left_out: Sequence[str] = ()


def _deployed(
    session: Session,
    which: Selection,
    since: float,
    playbook: Playbook,
    given: Mapping[str, str],
    topics: Sequence[str],
) -> Tuple[List[bytes], Taken]:
    """What the stream has, as the worker reads it, and what is deployed; ``given`` and ``topics``
    as they were typed win. Raises DeploymentError."""
    deployed = session.find(which)
    seconds = ("--seconds", str(int(since)))
    lines = in_pod.run(deployed, ALERTS, *seconds).whole()
    found = changed_settings(playbook, deployed.environment, deployed.function)
    left_out = [f"{name}={found.pop(name)}" for name in sorted(WITHOUT & set(found))]
    subscribed = deployed.topics()
    taken = Taken(
        {**found, **given},
        tuple(topics) or subscribed or ANY,
        f"deployed as {deployed}",
        left_out,
    )
    return [base64.b64decode(line["body"]) for line in lines], taken


def _lines(file: str) -> List[bytes]:
    try:
        content = sys.stdin.buffer.read() if file == STANDARD_INPUT else Path(file).read_bytes()
    except OSError as error:
        raise DeploymentError(f"{file} cannot be read: {error.strerror}") from error
    try:
        whole = json.loads(content)
    except (ValueError, RecursionError):
        return [line for line in content.split(b"\n") if line.strip()]
    alerts = whole if isinstance(whole, list) else [whole]
    return [json.dumps(alert).encode() for alert in alerts]


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int, int], None]]:
    """On standard error, where that is a terminal."""
    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("alerts", total=total)
        yield lambda done, known: bar.update(task, completed=done, total=known)


def _print(summary: Summary, output: str) -> None:
    if output == "json":
        print_json(asdict(summary))
    elif output == "html":
        print(page(summary), end="")
    else:
        show(summary, Console(width=None if terminal.styled() else WIDTH))
