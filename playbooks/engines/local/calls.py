"""From a message to the playbook, and to a line of the report: one alert after the other."""

from __future__ import annotations

import queue
import threading
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Callable, Optional, Sequence

from playbooks.core.alert import Alert
from playbooks.core.errors import InvalidAlert, PermanentError
from playbooks.core.outcome import Outcome
from playbooks.engines.local.interruption import Interruption
from playbooks.engines.local.report import Report
from playbooks.engines.pushed import not_subscribed, subscriptions
from playbooks.engines.retrying import SHARE
from playbooks.engines.runtime import Event, Runtime


class TimedOut(PermanentError):
    """The playbook did not answer within the function's timeout."""

    reason = "timed-out"


class NoAnswer(PermanentError):
    """Somebody gave the alert up before the playbook answered."""

    reason = "no-answer"


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
        answers = self._answers
        if answers is not None:
            answers.put(Outcome.failed(NoAnswer("interrupted before it answered")))

    def _answer(self, event: Event, answers: queue.SimpleQueue[Outcome]) -> None:
        seconds = self._timeout * SHARE
        reply = self._runtime.handle(event, seconds=seconds, recorded=self._recorded)
        answers.put(reply.outcome)


@dataclass(eq=False)
class Dispatch:
    """``calls`` runs the playbook. ``arrives`` is called with every alert before that."""

    calls: Calls
    topics: Sequence[str]
    report: Report
    interruption: Interruption
    arrives: Callable[[Sequence[Alert]], None]

    def __post_init__(self) -> None:
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
        times = subscriptions(alert, self.topics)
        if not times:
            return self._not_called(body, origin, not_subscribed(alert))
        first = self.deliver(body, origin)
        for _ in range(times - 1):
            self.deliver(body, origin)
        return first

    def deliver(self, body: bytes, origin: str) -> Outcome:
        """Call the playbook, whatever the message is."""
        with self._lock, self.interruption.busy():
            with suppress(InvalidAlert):
                self.arrives([Alert.parse(body)])
            return self._reported(body, origin, self.calls.call(body, origin))

    def settle(self) -> None:
        """Wait until the alert that was given up is reported."""
        with self._lock:
            pass

    def _not_called(self, body: bytes, origin: str, outcome: Outcome) -> Outcome:
        self.calls.log(body, origin, outcome)
        return self._reported(body, origin, outcome)

    def _reported(self, body: bytes, origin: str, outcome: Outcome) -> Outcome:
        self.report.add(body, origin, outcome)
        return outcome
