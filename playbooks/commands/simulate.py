"""``falco-playbook simulate``: what a playbook would have done with past alerts."""

from __future__ import annotations

import base64
import json
import sys
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Optional, Sequence

import click
from rich.console import Console
from rich.progress import Progress

from playbooks.commands import in_pod, tell
from playbooks.commands.options import Duration, Selection, Session, command, outputs, selects
from playbooks.core.errors import InvalidSetting
from playbooks.core.ledger.limits import Limits
from playbooks.core.settings import read
from playbooks.deployment import terminal
from playbooks.deployment.errors import DeploymentError, UsageError
from playbooks.deployment.request import assignments, catalogue
from playbooks.deployment.request.topics import problems as topic_problems
from playbooks.engines.worker.operator.protocol import ALERTS
from playbooks.simulation.replay import replay
from playbooks.simulation.report import page, show
from playbooks.simulation.summary import Summary, summarize

STANDARD_INPUT = "-"

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
    default=["falco.>"],
    show_default=True,
    help="A topic that it answers. Repeat it for more.",
)
@click.option(
    "-f",
    "--file",
    "files",
    metavar="FILE",
    multiple=True,
    type=click.Path(allow_dash=True),
    help="The alerts, one JSON object a line; - is standard input. Repeat it for more.",
)
@click.option(
    "--since",
    type=Duration(),
    metavar="TIME",
    help="Instead of files: the alerts of the last TIME, such as 7d, in the stream of the deployed"
    " playbook.",
)
@click.option(
    "-e",
    "--env",
    "values",
    metavar="NAME=VALUE",
    multiple=True,
    help="A setting of the playbook. Repeat it for more.",
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
    With -f it needs no cluster.
    """
    which.check(
        *topic_problems(topics),
        *_playbook_problems(which.playbook),
        *_source_problems(files, since),
        *_replica_problems(replicas),
    )
    playbook = catalogue.load(which.playbook)
    environ = _environ(values)
    if since is None:
        bodies = [line for file in files for line in _lines(file)]
    else:
        bodies = _stored(session, which, since)
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
    _print(summarize(playbook.name, topics, replayed, Limits.of(settings), least), output)
    return 0


def _playbook_problems(name: str) -> List[str]:
    if not name:
        return []
    try:
        playbook = catalogue.load(name)
    except UsageError as error:
        return list(error.problems)
    if playbook.acts:
        return []
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
    try:
        return {v.name: v.text for v in map(assignments.value, values)}
    except ValueError as error:
        raise UsageError([str(error)]) from error


def _stored(session: Session, which: Selection, since: float) -> List[bytes]:
    """What the stream has, as the worker reads it. Raises DeploymentError."""
    seconds = ("--seconds", str(int(since)))
    answer = in_pod.run(session.cluster, session.find(which), ALERTS, *seconds)
    if answer.why:
        raise DeploymentError(answer.why)
    return [base64.b64decode(line["body"]) for line in answer.lines]


def _lines(file: str) -> List[bytes]:
    try:
        content = sys.stdin.buffer.read() if file == STANDARD_INPUT else Path(file).read_bytes()
    except OSError as error:
        raise DeploymentError(f"{file} cannot be read: {error.strerror}") from error
    return [line for line in content.split(b"\n") if line.strip()]


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int, int], None]]:
    """On standard error, where that is a terminal."""
    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("alerts", total=total)
        yield lambda done, known: bar.update(task, completed=done, total=known)


def _print(summary: Summary, output: str) -> None:
    if output == "json":
        print(json.dumps(asdict(summary), indent=2))
    elif output == "html":
        print(page(summary), end="")
    else:
        show(summary, Console(width=None if terminal.styled() else WIDTH))
