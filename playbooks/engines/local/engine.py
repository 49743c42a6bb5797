"""Run a playbook in this process, in the foreground, one alert after the other."""

from __future__ import annotations

import os
import queue
import sys
import threading
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Callable, Iterator, List, Mapping, Optional, Sequence, TextIO, Union

from playbooks.core import catalogue, subjects
from playbooks.core.alert import Alert
from playbooks.core.errors import InvalidAlert, InvalidSetting
from playbooks.core.notifications.plain_text import plain
from playbooks.core.outcome import Outcome
from playbooks.core.playbook import Playbook
from playbooks.core.settings import Settings
from playbooks.engines.kubeless import TIMEOUT
from playbooks.engines.local import sources
from playbooks.engines.local.errors import CannotStart, NoAnswer, TimedOut
from playbooks.engines.local.interruption import Interruption
from playbooks.engines.local.log_file import log_file
from playbooks.engines.local.report import Report
from playbooks.engines.local.target import Target
from playbooks.engines.pushed import not_subscribed, subscriptions
from playbooks.engines.retrying import SHARE
from playbooks.engines.runtime import Event, Runtime

ENDED, FAILED, NOT_STARTED = 0, 1, 2

CHOICES = (
    "-e NATS_URL=nats://HOST:4222, one or more FILEs of JSON lines, - for standard input, or"
    " --http PORT"
)

Source = Callable[["Dispatch", Interruption], None]
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
    files = [source] if isinstance(source, str) else list(source or ())
    try:
        report = Report.on(output, reasons=reasons)
        return _Run(playbook, topics, environ, files, http_port, report).run(target)
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
        sources.check(files)
        self._timeout = _timeout(environ)
        try:
            self._playbook = catalogue.load(playbook)
            self._playbook.responder(environ)
        except InvalidSetting as error:
            raise CannotStart(str(error)) from error

    def run(self, find: FindTarget) -> int:
        # The clients of the Kubernetes API and of Slack read it.
        os.environ.update(self._environ)
        target = find(self._playbook, self._environ, self._files)
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
        if self._files:
            chosen.append(self._from_files)
        if http_port is not None:
            chosen.append(partial(self._by_http, http_port))
        if self._environ.get("NATS_URL"):
            chosen.append(partial(self._from_nats, sources.nats_settings(self._environ)))
        if len(chosen) == 1:
            return chosen[0]
        problem = (
            "where do alerts come from?" if not chosen else "alerts come from one source only:"
        )
        raise CannotStart(f"{problem} {CHOICES}")

    def _feed(self, target: Target, log: Path) -> None:
        playbook = target.wired(self._playbook)
        runtime = Runtime(playbook.name, playbook.responder(self._environ))
        calls = Calls(runtime, timeout=self._timeout, recorded=bool(self._files))
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
        for body, _ in sources.lines([file for file in self._files if Path(file).is_file()]):
            with suppress(InvalidAlert):
                found.append(Alert.parse(body))
        return found

    def _from_files(self, dispatch: Dispatch, interruption: Interruption) -> None:
        for body, origin in sources.lines(self._files):
            dispatch.publish(body, origin)
            if interruption.requested:
                return

    def _by_http(self, port: int, dispatch: Dispatch, interruption: Interruption) -> None:
        endpoint = sources.Endpoint(port, dispatch.publish, interruption=interruption)
        self._report.say(
            f"listening on {endpoint.url} for {', '.join(self._topics)}; Ctrl-C ends it"
        )
        endpoint.serve()

    def _from_nats(
        self, settings: Settings, dispatch: Dispatch, interruption: Interruption
    ) -> None:
        sources.subscribe(
            settings,
            self._topics,
            dispatch.deliver,
            note=self._report.say,
            interruption=interruption,
        )


class Calls:
    """Calls the playbook in this process.

    ``timeout``: the seconds after which an alert is given up. Its call runs on in its thread, as it
    cannot be ended; the deadlines of its own calls end it.
    """

    def __init__(self, runtime: Runtime, *, timeout: float, recorded: bool = False) -> None:
        self._runtime = runtime
        self._timeout = timeout
        self._recorded = recorded
        self._answers: Optional[queue.SimpleQueue[Outcome]] = None

    def call(self, body: bytes, origin: str) -> Outcome:
        """Never raises an Exception: what went wrong is the failed outcome's ``error``."""
        # A signal handler may put into this kind of queue.
        answers = self._answers = queue.SimpleQueue()
        event = Event(body, origin)
        thread = threading.Thread(target=self._answer, args=(event, answers), daemon=True)
        thread.start()
        try:
            return answers.get(timeout=self._timeout)
        except queue.Empty:
            return Outcome.failed(TimedOut(f"timed out after {self._timeout:g} s"))
        finally:
            self._answers = None

    def log(self, body: bytes, origin: str, outcome: Outcome) -> None:
        """What became of an alert that the playbook was not called for."""
        self._runtime.log(Event(body, origin), outcome)

    def give_up(self) -> None:
        """End the call under way; its outcome is then that it gave no answer."""
        if self._answers is not None:
            self._answers.put(Outcome.failed(NoAnswer("interrupted before it answered")))

    def _answer(self, event: Event, answers: queue.SimpleQueue[Outcome]) -> None:
        seconds = self._timeout * SHARE
        reply = self._runtime.handle(event, seconds=seconds, recorded=self._recorded)
        answers.put(reply.outcome)


@contextmanager
def logged(path: Path) -> Iterator[None]:
    """The file gets what is printed meanwhile: the report alone is on the terminal."""
    stream = path.open("a", 1, encoding="utf-8", errors="backslashreplace")
    with stream, redirect_stdout(stream), redirect_stderr(stream):
        yield


class Dispatch:
    """From a message to the playbook, and to a line of the report: one alert after the other.

    ``calls`` runs the playbook. ``arrives`` is called with every alert before that.
    """

    def __init__(
        self,
        calls: Calls,
        topics: Sequence[str],
        report: Report,
        interruption: Interruption,
        arrives: Callable[[Sequence[Alert]], None],
    ) -> None:
        self._calls = calls
        self._topics = topics
        self._report = report
        self._interruption = interruption
        self._arrives = arrives
        self._lock = threading.Lock()

    def publish(self, body: bytes, origin: str) -> Outcome:
        """What a NATS server does: call once for each topic that matches the alert's subject.

        The outcome of the first call, or why there was none.
        """
        try:
            alert = Alert.parse(body)
        except InvalidAlert as error:
            failed = Outcome.failed(error)
            return self._not_called(body, origin, replace(failed, why=(failed.message,)))
        times = subscriptions(alert, self._topics)
        if not times:
            return self._not_called(body, origin, not_subscribed(alert))
        first = self.deliver(body, origin)
        for _ in range(times - 1):
            self.deliver(body, origin)
        return first

    def deliver(self, body: bytes, origin: str) -> Outcome:
        """Call the playbook, whatever the message is."""
        with self._lock, self._interruption.busy():
            with suppress(InvalidAlert):
                self._arrives([Alert.parse(body)])
            return self._reported(body, origin, self._calls.call(body, origin))

    def settle(self) -> None:
        """Wait until the alert that was given up is reported."""
        with self._lock:
            pass

    def _not_called(self, body: bytes, origin: str, outcome: Outcome) -> Outcome:
        self._calls.log(body, origin, outcome)
        return self._reported(body, origin, outcome)

    def _reported(self, body: bytes, origin: str, outcome: Outcome) -> Outcome:
        self._report.add(body, origin, outcome)
        return outcome


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
    if not text.isdigit() or not int(text):
        raise CannotStart(f"FUNC_TIMEOUT is {text!r}, expected seconds")
    return float(text)
