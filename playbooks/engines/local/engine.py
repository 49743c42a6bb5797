"""Run a playbook in this process, in the foreground, one alert after the other."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Callable, List, Mapping, Optional, Sequence, TextIO, Union

from playbooks.core import catalogue, subjects
from playbooks.core.alert import Alert
from playbooks.core.errors import InvalidAlert, InvalidSetting
from playbooks.core.notifications.plain_text import plain
from playbooks.core.playbook import Playbook
from playbooks.core.settings import Settings, whole_number
from playbooks.engines.kubeless import TIMEOUT
from playbooks.engines.local import CannotStart, files, http
from playbooks.engines.local.calls import Calls, Dispatch
from playbooks.engines.local.interruption import Interruption
from playbooks.engines.local.log_file import log_file, logged
from playbooks.engines.local.report import Report
from playbooks.engines.local.settings import nats_settings
from playbooks.engines.local.target import Target
from playbooks.engines.runtime import Runtime

ENDED, FAILED, NOT_STARTED = 0, 1, 2

CHOICES = (
    "-e NATS_URL=nats://HOST:4222, one or more FILEs of JSON lines, - for standard input, or"
    " --http PORT"
)

# What a function may be given.
_SECONDS = whole_number(1, 86400)

Source = Callable[[Dispatch, Interruption], None]
FindTarget = Callable[[Playbook, Mapping[str, str], Sequence[str]], Target]


def main(
    playbook: str,
    topics: Sequence[str],
    environ: Mapping[str, str],
    *,
    source: Union[str, Sequence[str], None] = None,
    http_port: Optional[int] = None,
    output: TextIO = sys.stdout,
    target: FindTarget = lambda *_: Target(),
    reasons: bool = False,
) -> int:
    """Call the playbook for every alert that its topics match, and report what became of each.

    ``environ``: the settings over the process's environment; ``FUNC_TIMEOUT`` are the seconds an
    alert may take (180). ``source``: files of JSON lines, ``-`` for standard input: recorded
    alerts, whose own time is the clock. ``http_port``: alerts are POSTed to it, on the loopback.
    With neither, they come from the NATS server of ``NATS_URL``. ``target``: finds what the
    playbook acts on, from the playbook, the environment and the files; it may raise CannotStart.
    ``reasons``: report every check that led to an outcome.

    Returns 0 when the source ended, or somebody ended it, and 1 when an alert failed for another
    reason than being none. 2: it could not start, and standard error says why.
    """
    paths = [source] if isinstance(source, str) else list(source or ())
    try:
        report = Report.on(output, reasons=reasons)
        return _Run(playbook, topics, environ, paths, http_port, report).run(target)
    except CannotStart as error:
        print(plain(f"error: {error}"), file=sys.stderr)
        return NOT_STARTED


class _Run:
    def __init__(
        self,
        playbook: str,
        topics: Sequence[str],
        environ: Mapping[str, str],
        paths: Sequence[str],
        http_port: Optional[int],
        report: Report,
    ) -> None:
        self._topics = list(topics)
        self._environ = environ
        self._paths = paths
        self._report = report
        self._source = self._choose(http_port)
        _check_topics(topics)
        files.check(paths)
        self._timeout = _timeout(environ)
        try:
            self._playbook = catalogue.load(playbook)
            self._playbook.responder(environ)
        except InvalidSetting as error:
            raise CannotStart(str(error)) from error

    def run(self, find: FindTarget) -> int:
        # The clients of the Kubernetes API and of Slack read it.
        os.environ.update(self._environ)
        target = find(self._playbook, self._environ, self._paths)
        name, topics = self._playbook.name, ", ".join(self._topics)
        self._report.say(f"{name} on {topics}: {catalogue.summary(name)}", *target.words)
        log = log_file(name, self._environ)
        self._feed(target, log)
        self._report.summary()
        self._report.table(target.title, target.afterwards(self._report.acted))
        self._report.say("", f"What the playbook logged: {log}", *target.next_steps)
        failed = self._report.counts["failed"] - self._report.invalid
        return FAILED if failed else ENDED

    def _choose(self, http_port: Optional[int]) -> Source:
        chosen: List[Source] = []
        if self._paths:
            chosen.append(self._from_files)
        if http_port is not None:
            chosen.append(partial(self._by_http, http_port))
        if self._environ.get("NATS_URL"):
            chosen.append(partial(self._from_nats, nats_settings(self._environ)))
        if len(chosen) == 1:
            return chosen[0]
        problem = (
            "where do alerts come from?" if not chosen else "alerts come from one source only:"
        )
        raise CannotStart(f"{problem} {CHOICES}")

    def _feed(self, target: Target, log: Path) -> None:
        playbook = target.wired(self._playbook)
        runtime = Runtime(playbook.name, playbook.responder(self._environ))
        calls = Calls(runtime, timeout=self._timeout, recorded=bool(self._paths))
        with logged(log), Interruption(give_up=calls.give_up) as interruption:
            target.expect(self._foreseen())
            dispatch = Dispatch(calls, self._topics, self._report, interruption, target.expect)
            try:
                self._source(dispatch, interruption)
            except KeyboardInterrupt:
                dispatch.settle()
                self._report.say("", "interrupted")

    def _foreseen(self) -> List[Alert]:
        """The alerts of the files; pipes and standard input cannot be read twice."""
        found = []
        for body, _ in files.lines([path for path in self._paths if Path(path).is_file()]):
            with suppress(InvalidAlert):
                found.append(Alert.parse(body))
        return found

    def _from_files(self, dispatch: Dispatch, interruption: Interruption) -> None:
        for body, origin in files.lines(self._paths):
            dispatch.publish(body, origin)
            if interruption.requested:
                return

    def _by_http(self, port: int, dispatch: Dispatch, interruption: Interruption) -> None:
        endpoint = http.Endpoint(port, dispatch.publish, interruption=interruption)
        self._report.say(
            f"listening on {endpoint.url} for {', '.join(self._topics)}; Ctrl-C ends it"
        )
        endpoint.serve()

    def _from_nats(
        self, settings: Settings, dispatch: Dispatch, interruption: Interruption
    ) -> None:
        try:
            from playbooks.engines.local import nats
        except ImportError as error:
            raise CannotStart(f"NATS_URL needs nats-py: pip install nats-py ({error})") from error
        nats.subscribe(
            settings,
            self._topics,
            dispatch.deliver,
            note=self._report.say,
            interruption=interruption,
        )


def _check_topics(topics: Sequence[str]) -> None:
    if not topics:
        raise CannotStart('no topic: -t "falco.>" takes every alert')
    for topic in topics:
        why = subjects.malformed(topic)
        if why:
            raise CannotStart(f"topic {topic!r}: {why}")


def _timeout(environ: Mapping[str, str]) -> float:
    text = environ.get("FUNC_TIMEOUT")
    if not text:
        return TIMEOUT
    try:
        return float(_SECONDS(text))
    except ValueError as error:
        raise CannotStart(f"FUNC_TIMEOUT is {text!r}, expected seconds: {error}") from None
