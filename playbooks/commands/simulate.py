"""``falco-playbook simulate``: what a playbook would have done with past alerts."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Callable, Iterator, List

from playbooks.commands.command_line import Options
from playbooks.core.errors import InvalidSetting
from playbooks.core.ledger.limits import Limits
from playbooks.core.playbook import Playbook
from playbooks.core.settings import read
from playbooks.deployment import assignments, catalogue, topics
from playbooks.deployment.errors import DeploymentError, UsageError
from playbooks.simulation.replay import replay
from playbooks.simulation.summary import Summary, summarize

STANDARD_INPUT = "-"


def simulate(options: Options) -> int:
    """The exit code. Raises DeploymentError."""
    playbook = catalogue.load(options.playbook)
    environ = _environ(options)
    _check(options, playbook)
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
    if not options.files:
        problems.append("no alerts are given: -f FILE, or -f - for standard input")
    if options.replicas is not None and options.replicas < 1:
        problems.append(f"--replicas is {options.replicas}, expected a number from 1 on")
    if problems:
        raise UsageError(problems)


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
