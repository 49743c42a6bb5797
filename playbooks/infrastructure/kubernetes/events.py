"""Outcomes as Events of the cluster, where kubectl shows them beside the object concerned."""

from __future__ import annotations

import socket
import threading
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Mapping, Optional, Tuple

from playbooks.core.alert import Alert
from playbooks.core.errors import NotFound
from playbooks.core.instant import Instant
from playbooks.core.notifications.event import RULE, event, micro_time
from playbooks.core.outcome import Outcome
from playbooks.core.ports import Clock, OwnPod, Recorder
from playbooks.infrastructure.kubernetes.api import KubernetesApi
from playbooks.infrastructure.kubernetes.limits import LIMITS

# Seconds within which the same Event again is one more of a series, as client-go has it.
SERIES = 360.0

# Seconds that an Event waits for calls that act.
PATIENCE = 5.0

# Series remembered at most; a forgotten one begins anew.
MOST = 1000

_EVENTS = ("apis", "events.k8s.io", "v1", "namespaces")

Key = Tuple[str, ...]


@dataclass(frozen=True)
class _Series:
    namespace: str
    name: str
    count: int
    last: Instant


class KubernetesEvents(Recorder):
    """One call an outcome: a new Event, or another count of its series. Threads may share it.

    Where the API is asked for as much as it may be, what acts goes first.
    """

    def __init__(self, api: KubernetesApi, playbook: str, own_pod: OwnPod, clock: Clock) -> None:
        self._api = api
        self._playbook = playbook
        self._own_pod = own_pod
        self._clock = clock
        self._lock = threading.Lock()
        self._known: OrderedDict[Key, _Series] = OrderedDict()

    def record(self, alert: Alert, outcome: Outcome) -> None:
        now = self._clock.now()
        made = event(
            outcome,
            now,
            playbook=self._playbook,
            function=_function(self._own_pod.pod),
            home=self._own_pod.namespace,
            instance=self._own_pod.pod or socket.gethostname() or "unknown",
            rule=alert.rule,
            alert_time=str(alert.time),
        )
        if made is None:
            return
        LIMITS.lull(PATIENCE)
        with self._lock:
            self._write(made, now)

    def _write(self, made: Mapping[str, Any], now: Instant) -> None:
        key = _key(made)
        known = self._fresh(key, now)
        if known:
            with suppress(NotFound):
                self._remember(key, self._counted(known, now))
                return
        metadata = made["metadata"]
        self._api.tell("POST", *_EVENTS, metadata["namespace"], "events", body=made)
        self._remember(key, _Series(metadata["namespace"], metadata["name"], 1, now))

    def _counted(self, known: _Series, now: Instant) -> _Series:
        count = known.count + 1
        series = {"series": {"count": count, "lastObservedTime": micro_time(now)}}
        self._api.patch(*_EVENTS, known.namespace, "events", known.name, body=series)
        return _Series(known.namespace, known.name, count, now)

    def _fresh(self, key: Key, now: Instant) -> Optional[_Series]:
        known = self._known.get(key)
        return known if known and now.seconds_since(known.last) < SERIES else None

    def _remember(self, key: Key, series: _Series) -> None:
        self._known[key] = series
        self._known.move_to_end(key)
        if len(self._known) > MOST:
            self._known.popitem(last=False)


def _function(pod: str) -> str:
    """A function's pods are a Deployment's: its name, and two random parts."""
    name, *random = pod.rsplit("-", 2)
    return name if len(random) == 2 else ""


def _key(made: Mapping[str, Any]) -> Key:
    regarding = made["regarding"]
    parts = (regarding["kind"], regarding.get("namespace", ""), regarding["name"], regarding["uid"])
    rule = made["metadata"]["annotations"].get(RULE, "")
    return (*parts, made["type"], made["reason"], made["action"], rule)
