"""What Prometheus sees. The first three are Kubeless' own: ``kubeless function top`` reads them."""

from __future__ import annotations

import time
from typing import Any, Dict, Optional, Set, Tuple, Union

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from playbooks.core.alert import Alert
from playbooks.core.errors import InvalidAlert
from playbooks.core.instant import Instant
from playbooks.core.outcome import Outcome, Status
from playbooks.core.ports import Standing, WatchingCluster

# Seconds. From a millisecond, for skipped alerts, to the deadline of Kubeless' functions.
DURATIONS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 180)

# Seconds. Up to the hour that an outage may last.
AGES = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)


class Family:
    """A metric by its labels beside the playbook. Called with them it is one of its children, which
    are kept: asking the metric for one takes longer than the counting does."""

    def __init__(self, metric: Any, *first: str) -> None:
        self._metric = metric
        self._first = first
        self._children: Dict[Tuple[str, ...], Any] = {}

    def __call__(self, *labels: str) -> Any:
        found = self._children.get(labels)
        if found is None:
            found = self._children[labels] = self._metric.labels(*self._first, *labels)
        return found

    def remove(self, *labels: str) -> None:
        self._children.pop(labels, None)
        self._metric.remove(*self._first, *labels)


class Metrics:
    """A registry of its own, so that a process can have several workers (specs do)."""

    def __init__(self, playbook: str) -> None:
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self._playbook = playbook
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.calls = self._by_method(Counter, "function_calls_total", "Alerts answered")
        self.failures = self._by_method(
            Counter, "function_failures_total", "Alerts whose answer failed"
        )
        self.duration = self._by_method(
            Histogram, "function_duration_seconds", "Time that an answer took", buckets=DURATIONS
        )
        self.outcomes = self._by(
            ("status", "reason"),
            Counter,
            "playbook_outcomes_total",
            "Outcomes; a failure that is tried again counts each time. An acted deletion-accepted"
            " is done when the pod is gone",
        )
        self.redeliveries = self._one(
            Counter, "playbook_redeliveries_total", "Deliveries of an alert after its first"
        )
        self.dead_letters = self._by(
            ("reason", "held"),
            Counter,
            "playbook_dead_letters_total",
            "Alerts that are not tried again (held=false), or held for a person (held=true)",
        )
        self.dropped = self._by(
            ("reason",),
            Counter,
            "playbook_dropped_total",
            "Messages acknowledged without an outcome: from before their trigger (not-wanted),"
            " another topic's (other-topic), or delivered again after they were done (done)",
        )
        self.again = self._one(
            Counter,
            "playbook_again_total",
            "Actions for a rule that another pod of the same controller was acted upon for within"
            " six times WINDOW",
        )
        self.follow_ups = self._by(
            ("reason",),
            Counter,
            "playbook_follow_ups_total",
            "Looks some time after an action, by what was found: verified, not-verified, or"
            " not-known where nobody could tell; of an isolation also identity-confirmed and"
            " unconfirmed",
        )
        self.unrecorded = self._by(
            ("recorder",),
            Counter,
            "playbook_records_failed_total",
            "Outcomes that a recorder could not put on record",
        )
        self.action_age = self._by(
            (),
            Histogram,
            "playbook_alert_to_action_seconds",
            "From the alert's time to the action that was accepted",
            buckets=AGES,
        )
        self.queued = self._by(
            ("topic",), Gauge, "playbook_queue_depth", "Alerts stored and not yet done, by topic"
        )
        self.in_flight = self._one(Gauge, "playbook_in_flight", "Alerts claimed")
        self.waiting = self._one(
            Gauge, "playbook_waiting", "Alerts that wait for the window of a limit"
        )
        self.paused = self._one(
            Gauge, "playbook_paused", "1 while a person has paused the playbook"
        )
        self.tripped = self._by(
            ("namespace",),
            Gauge,
            "playbook_budget_tripped",
            "1 while the budget of a namespace is used up",
        )
        self.unavailable = self._one(
            Gauge,
            "playbook_api_unavailable",
            "1 while alerts wait, because any of them would fail, such as without the API server",
        )
        self.ready = self._one(Gauge, "playbook_ready", "1 while alerts are taken in, as /readyz")
        self.refused = self._one(
            Gauge,
            "playbook_streams_refuse",
            "1 while a stream takes no messages in, such as on a server out of storage",
        )
        self.renamed = self._one(
            Gauge,
            "playbook_renamed_topics",
            "Topics whose alerts are stored under subjects that they do not match",
        )
        self.lost = self._one(Counter, "playbook_lost_total", "Alerts lost without JetStream")
        self.remembered = self._by(
            ("kind",),
            Gauge,
            "playbook_view_objects",
            "Objects that the worker remembers of the cluster, by kind",
        )
        self.remembered_bytes = self._by(
            ("kind",), Gauge, "playbook_view_bytes", "Memory that they take, about"
        )
        self.view_live = self._by(
            (),
            Gauge,
            "playbook_view_live",
            "1 while pods are watched, 0 while they are read for each alert",
        )
        self.view_answers = self._by(
            ("answer",),
            Counter,
            "playbook_view_answers_total",
            "Pods acted upon as they were remembered (view), read because they had changed since"
            " (changed), and read because they were not known (read)",
        )
        self.info = self._by(
            ("namespace", "function", "version"),
            Gauge,
            "playbook_info",
            "Always 1: the Function, its namespace, and the version that runs",
        )
        self._tripped: Set[str] = set()
        self._watch: Optional[WatchingCluster] = None
        self._answered: Dict[str, int] = {}

    def _by_method(self, kind: Any, name: str, said: str, **more: Any) -> Family:
        return Family(kind(name, said, ["method"], registry=self.registry, **more))

    def _by(self, labels: Tuple[str, ...], kind: Any, name: str, said: str, **more: Any) -> Family:
        """``labels``: beside the playbook."""
        metric = kind(name, said, ["playbook", *labels], registry=self.registry, **more)
        return Family(metric, self._playbook)

    def _one(self, kind: Any, name: str, said: str) -> Any:
        """Of the playbook alone, and there from the beginning."""
        return self._by((), kind, name, said)()

    def answered(
        self, method: str, seconds: float, body: Union[Alert, bytes], outcome: Outcome
    ) -> None:
        self.answered_along(method, outcome, 1)
        self.duration(method).observe(seconds)
        if outcome.status is not Status.ACTED:
            return
        if outcome.details.get("again"):
            self.again.inc()
        age = _age(body)
        if age is not None:
            self.action_age().observe(age)

    def answered_along(self, method: str, outcome: Outcome, count: int) -> None:
        """Counts alerts of one outcome: the one that was decided on, or those along with it."""
        self.calls(method).inc(count)
        self.failures(method).inc(count if outcome.status is Status.FAILED else 0)
        self.outcomes(str(outcome.status), outcome.reason).inc(count)

    def gave_up(self, reason: str, count: int = 1, *, held: bool = False) -> None:
        self.dead_letters(reason, str(held).lower()).inc(count)

    def stands(self, standing: Standing) -> None:
        """What its ledger says."""
        self.paused.set(1 if standing.paused else 0)
        for namespace in self._tripped - set(standing.tripped):
            self.tripped.remove(namespace)
        self._tripped = set(standing.tripped)
        for namespace in self._tripped:
            self.tripped(namespace).set(1)

    def watch(self, cluster: WatchingCluster) -> None:
        self._watch = cluster

    def _look(self, cluster: WatchingCluster) -> None:
        self.view_live().set(cluster.live)
        for kind, (count, size) in cluster.objects.items():
            self.remembered(kind).set(count)
            self.remembered_bytes(kind).set(size)
        for answer, count in cluster.answers.items():
            more = count - self._answered.get(answer, 0)
            self._answered[answer] = count
            self.view_answers(answer).inc(more)

    def page(self) -> bytes:
        """In Prometheus' text format."""
        if self._watch is not None:
            self._look(self._watch)
        return prometheus_client.generate_latest(self.registry)


def _age(body: Union[Alert, bytes]) -> Optional[float]:
    """Seconds since the alert's own time; never below zero, for clocks that disagree."""
    try:
        alert = Alert.parse(body)
    except InvalidAlert:
        return None
    return max(0.0, Instant(time.time_ns()).seconds_since(alert.time))
