"""Run a playbook on this machine, in the foreground."""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from pathlib import Path
from typing import Callable, List, Mapping, Optional, Sequence, TextIO, Union

from playbooks.core import subjects
from playbooks.core.alert import Alert
from playbooks.core.errors import InvalidAlert, InvalidSetting
from playbooks.core.notifications.plain_text import plain
from playbooks.core.playbook import Playbook
from playbooks.core.ports import Cluster
from playbooks.engines.local import lines, subscriber
from playbooks.engines.local.dispatch import Dispatch
from playbooks.engines.local.failure import CannotStart
from playbooks.engines.local.http_endpoint import Endpoint
from playbooks.engines.local.interruption import Interruption
from playbooks.engines.local.process import Processes
from playbooks.engines.local.report import Report
from playbooks.engines.local.surroundings import Find, Surroundings, surroundings

ENDED, FAILED, NOT_STARTED = 0, 1, 2

CHOICES = (
    "-e NATS_URL=nats://HOST:4222, one or more FILEs of JSON lines, - for standard input, or"
    " --http PORT"
)

# Kubeless' own default for a function's timeout, in seconds.
TIMEOUT = "180"

Source = Callable[[Dispatch, Interruption], None]


def main(
    playbook: str,
    topics: Sequence[str],
    environ: Mapping[str, str],
    *,
    source: Union[str, Sequence[str], None] = None,
    http_port: Optional[int] = None,
    output: TextIO = sys.stdout,
    find: Find = lambda _environ: None,
    cluster: Callable[[], Optional[Cluster]] = lambda: None,
    reasons: bool = False,
) -> int:
    """Call the playbook for every alert that its topics match, and report what became of each.

    ``environ``: the settings over the process's environment; ``FUNC_TIMEOUT`` are the seconds an
    alert may take (180). ``source``: files of JSON lines, ``-`` for standard input: recorded
    alerts, whose own time is the clock. ``http_port``: alerts are POSTed to it, on the loopback.
    With neither, they come from the NATS server of ``NATS_URL``. ``find`` says which real cluster
    there is, None for none, and ``cluster`` makes what reads it afterwards. ``reasons``: report
    every check that led to an outcome.

    Returns 0 when the source ended, or somebody ended it, and 1 when an alert failed for another
    reason than being none. 2: it could not start, and standard error says why.
    """
    files = [source] if isinstance(source, str) else list(source or ())
    try:
        report = Report.on(output, reasons=reasons)
        return _Run(playbook, topics, environ, files, http_port, report).run(find, cluster)
    except CannotStart as error:
        print(plain(f"error: {error}"), file=sys.stderr)
        return NOT_STARTED


class _Run:
    def __init__(
        self,
        playbook: str,
        topics: Sequence[str],
        environ: Mapping[str, str],
        files: Sequence[str],
        http_port: Optional[int],
        report: Report,
    ) -> None:
        self._topics = list(topics)
        self._environ = environ
        self._files = files
        self._report = report
        self._source = self._choose(http_port)
        _check_topics(topics)
        lines.check(files)
        self._module = f"playbooks.{playbook}"
        self._playbook = _load(playbook, self._module)
        self._timeout = _timeout(environ)
        try:
            self._playbook.responder(environ)
        except InvalidSetting as error:
            raise CannotStart(str(error)) from error

    def run(self, find: Find, cluster: Callable[[], Optional[Cluster]]) -> int:
        needed = bool(self._playbook.permissions)
        with surroundings(
            self._environ, self._files, needed=needed, find=find, cluster=cluster
        ) as place:
            self._introduce(place)
            log = _log_file(self._playbook.name)
            self._feed(place, log)
            self._conclude(place, log)
        failed = self._report.counts["failed"] - self._report.invalid
        return FAILED if failed else ENDED

    def _choose(self, http_port: Optional[int]) -> Source:
        url = self._environ.get("NATS_URL", "")
        chosen: List[Source] = []
        if self._files:
            chosen.append(self._from_files)
        if http_port is not None:
            chosen.append(
                lambda dispatch, interruption: self._by_http(http_port, dispatch, interruption)
            )
        if url:
            chosen.append(
                lambda dispatch, interruption: self._from_nats(url, dispatch, interruption)
            )
        if len(chosen) == 1:
            return chosen[0]
        problem = (
            "where do alerts come from?" if not chosen else "alerts come from one source only:"
        )
        raise CannotStart(f"{problem} {CHOICES}")

    def _introduce(self, place: Surroundings) -> None:
        doc = importlib.import_module(self._module).__doc__ or ""
        topics = ", ".join(self._topics)
        self._report.say(f"{self._playbook.name} on {topics}: {doc.strip().splitlines()[0]}")
        self._report.say(*place.words)

    def _feed(self, place: Surroundings, log: Path) -> None:
        processes = Processes(
            self._module, timeout=self._timeout, log=log, recorded=bool(self._files)
        )
        processes.warm_up()
        with Interruption(give_up=processes.give_up) as interruption:
            place.expect(self._foreseen())
            dispatch = Dispatch(
                processes.call, self._topics, self._report, interruption, place.arrives
            )
            try:
                self._source(dispatch, interruption)
            except KeyboardInterrupt:
                dispatch.settle()
                self._report.say("", "interrupted")

    def _foreseen(self) -> List[Alert]:
        """The alerts of the files; pipes and standard input cannot be read twice."""
        found = []
        for body, _ in lines.lines([file for file in self._files if Path(file).is_file()]):
            try:
                found.append(Alert.parse(body))
            except InvalidAlert:
                continue
        return found

    def _from_files(self, dispatch: Dispatch, interruption: Interruption) -> None:
        for body, origin in lines.lines(self._files):
            dispatch.publish(body, origin)
            if interruption.requested:
                return

    def _by_http(self, port: int, dispatch: Dispatch, interruption: Interruption) -> None:
        endpoint = Endpoint(port, dispatch.publish, interruption=interruption)
        self._report.say(
            f"listening on {endpoint.url} for {', '.join(self._topics)}; Ctrl-C ends it"
        )
        endpoint.serve()

    def _from_nats(self, url: str, dispatch: Dispatch, interruption: Interruption) -> None:
        subscriber.subscribe(
            url, self._topics, dispatch.deliver, note=self._report.say, interruption=interruption
        )

    def _conclude(self, place: Surroundings, log: Path) -> None:
        self._report.summary()
        self._report.table(place.title, place.afterwards(self._report.acted))
        self._report.say("", f"What the playbook logged: {log}")


def _load(name: str, module: str) -> Playbook:
    try:
        loaded = importlib.import_module(module)
    except ImportError as error:
        raise CannotStart(f"playbook {name!r} cannot be loaded: {error}") from error
    playbook = getattr(loaded, "playbook", None)
    if not isinstance(playbook, Playbook):
        raise CannotStart(f"{module} is no playbook")
    return playbook


def _check_topics(topics: Sequence[str]) -> None:
    if not topics:
        raise CannotStart('no topic: -t "falco.>" takes every alert')
    for topic in topics:
        why = subjects.malformed(topic)
        if why:
            raise CannotStart(f"topic {topic!r}: {why}")


def _timeout(environ: Mapping[str, str]) -> float:
    text = environ.get("FUNC_TIMEOUT") or TIMEOUT
    if not text.isdigit() or not int(text):
        raise CannotStart(f"FUNC_TIMEOUT is {text!r}, expected seconds")
    return float(text)


def _log_file(playbook: str) -> Path:
    descriptor, name = tempfile.mkstemp(prefix=f"falco-{playbook}-", suffix=".log")
    os.close(descriptor)
    return Path(name)
