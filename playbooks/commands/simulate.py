"""``falco-playbook simulate``: what a playbook would have done with past alerts."""

from __future__ import annotations

import base64
import json
import sys
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Callable, Iterator, List, Optional

from playbooks.commands import desk
from playbooks.commands.cluster import Cluster
from playbooks.commands.command_line import Options
from playbooks.commands.deployed import Deployed
from playbooks.core.errors import InvalidSetting
from playbooks.core.ledger.limits import Limits
from playbooks.core.playbook import Playbook
from playbooks.core.settings import read
from playbooks.deployment.errors import DeploymentError, UsageError
from playbooks.deployment.request import assignments, catalogue, topics
from playbooks.engines.worker.operator.protocol import ALERTS
from playbooks.simulation.replay import replay
from playbooks.simulation.summary import Summary, summarize

STANDARD_INPUT = "-"


def simulate(
    options: Options, cluster: Optional[Cluster] = None, deployed: Optional[Deployed] = None
) -> int:
    """The exit code. ``cluster`` and ``deployed`` where the alerts are those of its stream.

    Raises DeploymentError.
    """
    playbook = catalogue.load(options.playbook)
    environ = _environ(options)
    _check(options, playbook)
    if cluster is not None and deployed is not None:
        bodies = _stored(options, cluster, deployed)
    else:
        bodies = [line for file in options.files for line in _lines(file)]
    try:
        settings = read(playbook.settings, environ)
        with _progress(len(bodies)) as progress:
            replayed = replay(
                playbook,
                environ,
                options.topics,
                bodies,
                replicas=options.replicas,
                progress=progress,
            )
    except InvalidSetting as error:
        raise UsageError([str(error)]) from error
    least = settings["MINIMUM_PRIORITY"]
    _print(
        summarize(playbook.name, options.topics, replayed, Limits.of(settings), least),
        options.output,
    )
    return 0


def _check(options: Options, playbook: Playbook) -> None:
    problems = topics.problems(options.topics)
    if not playbook.acts:
        problems.append(
            f"{playbook.name} changes nothing in a cluster: there is nothing to simulate"
        )
    if options.since is None and not options.files:
        problems.append("no alerts are given: -f FILE (- for standard input), or --since TIME")
    if options.since is not None and options.files:
        problems.append("-f and --since: the alerts are those of files, or those of the stream")
    if options.replicas is not None and options.replicas < 1:
        problems.append(f"--replicas is {options.replicas}, expected a number from 1 on")
    if problems:
        raise UsageError(problems)


def _stored(options: Options, cluster: Cluster, deployed: Deployed) -> List[bytes]:
    """What the stream has, as the worker reads it."""
    seconds = ("--seconds", str(int(options.since or 0)))
    answer = desk.run(cluster, deployed, ALERTS, *seconds)
    if answer.why:
        raise DeploymentError(answer.why)
    return [base64.b64decode(line["body"]) for line in answer.lines]


def _environ(options: Options) -> dict:  # type: ignore[type-arg]
    try:
        return {v.name: v.text for v in map(assignments.value, options.values)}
    except ValueError as error:
        raise UsageError([str(error)]) from error


def _lines(file: str) -> List[bytes]:
    try:
        content = sys.stdin.buffer.read() if file == STANDARD_INPUT else Path(file).read_bytes()
    except OSError as error:
        raise DeploymentError(f"{file} cannot be read: {error.strerror}") from error
    return [line for line in content.splitlines() if line.strip()]


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int, int], None]]:
    """On standard error, where that is a terminal."""
    try:
        from rich.console import Console
        from rich.progress import Progress
    except ImportError as error:
        raise DeploymentError(
            "simulate needs the package rich: pip install 'playbooks[simulate]'"
        ) from error
    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("alerts", total=total)
        yield lambda done, known: bar.update(task, completed=done, total=known)


def _print(summary: Summary, output: str) -> None:
    if output == "json":
        print(json.dumps(asdict(summary), indent=2))
    elif output == "html":
        from playbooks.simulation.html_report import page

        print(page(summary), end="")
    else:
        from rich.console import Console

        from playbooks.simulation.text_report import show

        width = None if sys.stdout.isatty() else 160
        show(summary, Console(width=width))
