"""What Prometheus sees. The first three are Kubeless' own: ``kubeless function top`` reads them."""

from __future__ import annotations

import time
from typing import Any, Callable, Dict, Optional, Set, Tuple, Union

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from playbooks.core import VERSION
from playbooks.core.alert import Alert
from playbooks.core.errors import InvalidAlert
from playbooks.core.instant import Instant
from playbooks.core.outcome import Outcome, Status
from playbooks.core.ports import Standing, WatchingCluster

# Seconds. From a millisecond, for skipped alerts, to the deadline of Kubeless' functions.
DURATIONS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 180)

# Seconds. Up to the hour that an outage may last.
AGES = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)


class Metrics:
    """A registry of its own, so that a process can have several workers (specs do)."""

    def __init__(self, playbook: str) -> None:
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self._playbook = playbook
        self._tripped: Set[str] = set()
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        into = self.registry
        self.calls = Counter("function_calls_total", "Alerts answered", ["method"], registry=into)
        self.failures = Counter(
            "function_failures_total", "Alerts whose answer failed", ["method"], registry=into
        )
        self.duration = Histogram(
            "function_duration_seconds",
            "Time that an answer took",
            ["method"],
            buckets=DURATIONS,
            registry=into,
        )
        self.outcomes = Counter(
            "playbook_outcomes_total",
            "Outcomes; a failure that is tried again counts each time. An acted deletion-accepted"
            " is done when the pod is gone",
            ["playbook", "status", "reason"],
            registry=into,
        )
        self.redeliveries = Counter(
            "playbook_redeliveries_total",
            "Deliveries of an alert after its first",
            ["playbook"],
            registry=into,
        )
        self.dead_letters = Counter(
            "playbook_dead_letters_total",
            "Alerts that are not tried again (held=false), or held for a person (held=true)",
            ["playbook", "reason", "held"],
            registry=into,
        )
        self.dropped = Counter(
            "playbook_dropped_total",
            "Messages acknowledged without an outcome: from before their trigger (not-wanted),"
            " another topic's (other-topic), or delivered again after they were done (done)",
            ["playbook", "reason"],
            registry=into,
        )
        self.again = Counter(
            "playbook_again_total",
            "Actions for a rule that another pod of the same controller was acted upon for within"
            " six times WINDOW",
            ["playbook"],
            registry=into,
        )
        self.follow_ups = Counter(
            "playbook_follow_ups_total",
            "Looks some time after an action, by what was found: verified, not-verified, or"
            " not-known where nobody could tell; of an isolation also identity-confirmed and"
            " unconfirmed",
            ["playbook", "reason"],
            registry=into,
        )
        self.unrecorded = Counter(
            "playbook_records_failed_total",
            "Outcomes that a recorder could not put on record",
            ["playbook", "recorder"],
            registry=into,
        )
        self.action_age = Histogram(
            "playbook_alert_to_action_seconds",
            "From the alert's time to the action that was accepted",
            ["playbook"],
            buckets=AGES,
            registry=into,
        )
        self.queued = Gauge(
            "playbook_queue_depth",
            "Alerts stored and not yet done, by topic",
            ["playbook", "topic"],
            registry=into,
        )
        self.in_flight = Gauge("playbook_in_flight", "Alerts claimed", ["playbook"], registry=into)
        self.waiting = Gauge(
            "playbook_waiting",
            "Alerts that wait for the window of a limit",
            ["playbook"],
            registry=into,
        )
        self.paused = Gauge(
            "playbook_paused",
            "1 while a person has paused the playbook",
            ["playbook"],
            registry=into,
        )
        self.tripped = Gauge(
            "playbook_budget_tripped",
            "1 while the budget of a namespace is used up",
            ["playbook", "namespace"],
            registry=into,
        )
        self.unavailable = Gauge(
            "playbook_api_unavailable",
            "1 while alerts wait, because any of them would fail, such as without the API server",
            ["playbook"],
            registry=into,
        )
        self.ready = Gauge(
            "playbook_ready", "1 while alerts are taken in, as /readyz", ["playbook"], registry=into
        )
        self.refused = Gauge(
            "playbook_streams_refuse",
            "1 while a stream takes no messages in, such as on a server out of storage",
            ["playbook"],
            registry=into,
        )
        self.renamed = Gauge(
            "playbook_renamed_topics",
            "Topics whose alerts are stored under subjects that they do not match",
            ["playbook"],
            registry=into,
        )
        self.lost = Counter(
            "playbook_lost_total",
            "Alerts lost without JetStream",
            ["playbook"],
            registry=into,
        )
        self.remembered = Gauge(
            "playbook_view_objects",
            "Objects that the worker remembers of the cluster, by kind",
            ["playbook", "kind"],
            registry=into,
        )
        self.remembered_bytes = Gauge(
            "playbook_view_bytes",
            "Memory that they take, about",
            ["playbook", "kind"],
            registry=into,
        )
        self.view_live = Gauge(
            "playbook_view_live",
            "1 while pods are watched, 0 while they are read for each alert",
            ["playbook"],
            registry=into,
        )
        self.view_answers = Counter(
            "playbook_view_answers_total",
            "Pods acted upon as they were remembered (view), read because they had changed since"
            " (changed), and read because they were not known (read)",
            ["playbook", "answer"],
            registry=into,
        )
        self._watch: Optional[WatchingCluster] = None
        self._answered: Dict[str, int] = {}
        self._children: Dict[Tuple[Any, Tuple[str, ...]], Any] = {}
        self.info = Gauge(
            "playbook_info",
            "Always 1: the Function, its namespace, and the version that runs",
            ["playbook", "namespace", "function", "version"],
            registry=into,
        )
        for metric in (
            *(self.redeliveries, self.again, self.in_flight, self.waiting, self.paused),
            *(self.unavailable, self.ready, self.lost, self.refused, self.renamed),
        ):
            metric.labels(playbook)

    def answered(
        self, method: str, seconds: float, body: Union[Alert, bytes], outcome: Outcome
    ) -> None:
        failed = outcome.status is Status.FAILED
        self._child(self.calls, method).inc()
        self._child(self.failures, method).inc(1 if failed else 0)
        self._child(self.duration, method).observe(seconds)
        self._child(self.outcomes, self._playbook, str(outcome.status), outcome.reason).inc()
        if outcome.status is Status.ACTED and outcome.details.get("again"):
            self._child(self.again, self._playbook).inc()
        age = _age(body) if outcome.status is Status.ACTED else None
        if age is not None:
            self._child(self.action_age, self._playbook).observe(age)

    def answered_along(self, method: str, outcome: Outcome, count: int) -> None:
        """Alerts that the decision on another one answered."""
        self._child(self.calls, method).inc(count)
        self._child(self.failures, method).inc(count if outcome.status is Status.FAILED else 0)
        outcomes = (self._playbook, str(outcome.status), outcome.reason)
        self._child(self.outcomes, *outcomes).inc(count)

    def _child(self, metric: Any, *labels: str) -> Any:
        """As ``metric.labels``, which takes longer than the counting does. Not for what is removed
        again."""
        found = self._children.get((metric, labels))
        if found is None:
            found = self._children[metric, labels] = metric.labels(*labels)
        return found

    def redelivered(self) -> None:
        self.redeliveries.labels(self._playbook).inc()

    def gave_up(self, reason: str, count: int = 1, *, held: bool = False) -> None:
        self.dead_letters.labels(self._playbook, reason, str(held).lower()).inc(count)

    def drop(self, reason: str) -> None:
        self.dropped.labels(self._playbook, reason).inc()

    def looked(self, reason: str) -> None:
        self.follow_ups.labels(self._playbook, reason).inc()

    def not_recorded(self, recorder: str) -> None:
        self.unrecorded.labels(self._playbook, recorder).inc()

    def lose(self) -> None:
        self.lost.labels(self._playbook).inc()

    def waits(self, count: int) -> None:
        self.waiting.labels(self._playbook).set(count)

    def claimed(self, count: int) -> None:
        self._child(self.in_flight, self._playbook).set(count)

    def unusable(self, away: bool) -> None:
        self.unavailable.labels(self._playbook).set(1 if away else 0)

    def stands(self, standing: Standing) -> None:
        """What its ledger says."""
        self.paused.labels(self._playbook).set(1 if standing.paused else 0)
        for namespace in self._tripped - set(standing.tripped):
            self.tripped.remove(self._playbook, namespace)
        self._tripped = set(standing.tripped)
        for namespace in self._tripped:
            self.tripped.labels(self._playbook, namespace).set(1)

    def serves(self, namespace: str, function: str) -> None:
        self.info.labels(self._playbook, namespace, function, VERSION).set(1)

    def refuse(self, refused: bool) -> None:
        self.refused.labels(self._playbook).set(1 if refused else 0)

    def rename(self, topics: int) -> None:
        self.renamed.labels(self._playbook).set(topics)

    def readiness(self, missing: Callable[[], Optional[str]]) -> None:
        """``missing`` says each time what keeps it from taking alerts in, or None."""
        self.ready.labels(self._playbook).set_function(lambda: 0 if missing() else 1)

    def depth(self, topic: str, messages: int) -> None:
        self.queued.labels(self._playbook, topic).set(messages)

    def forget(self, topic: str) -> None:
        self.queued.remove(self._playbook, topic)

    def watch(self, cluster: WatchingCluster) -> None:
        self._watch = cluster

    def _look(self, cluster: WatchingCluster) -> None:
        self.view_live.labels(self._playbook).set(cluster.live)
        for kind, (count, size) in cluster.objects.items():
            self.remembered.labels(self._playbook, kind).set(count)
            self.remembered_bytes.labels(self._playbook, kind).set(size)
        for answer, count in cluster.answers.items():
            more = count - self._answered.get(answer, 0)
            self._answered[answer] = count
            self.view_answers.labels(self._playbook, answer).inc(more)

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
