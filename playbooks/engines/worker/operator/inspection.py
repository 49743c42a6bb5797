"""What ``check`` and ``status`` ask a worker: NATS, who may connect to it, its stream, its alerts.

Each line says what it is about: ``nats``, ``strangers``, ``stream``, ``records``, ``alerts``.
``why`` in it says what is not as it should be, ``unknown`` what could not be seen. It needs no
right that the worker does not need, and changes nothing but a consumer of its own, which it
removes.
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, AsyncIterator, Callable, Dict, Mapping, Optional, Sequence, Tuple

from playbooks.core import VERSION, catalogue, subjects
from playbooks.core.alert import Alert
from playbooks.core.errors import InvalidAlert
from playbooks.core.instant import NANOSECONDS, Instant
from playbooks.core.outcome import Outcome
from playbooks.core.settings import Settings
from playbooks.engines.worker.function import ALERTS, STREAMS
from playbooks.engines.worker.nats import connection as nats_connection
from playbooks.engines.worker.nats import streams
from playbooks.engines.worker.nats.jetstream import ApiError, JetStream, NoJetStream, Overtaken
from playbooks.engines.worker.nats.reader import batches
from playbooks.engines.worker.nats.renamed import SeenSubjects
from playbooks.engines.worker.nats.streams import Unusable
from playbooks.engines.worker.operator.connection import connect_once, function_of, in_words

Line = Dict[str, Any]

# What the guards say of an alert alone, stored at this time; None where it passes.
Refusal = Callable[[Alert, Instant], Optional[Outcome]]

_CREDENTIALS = (
    *("NATS_USER", "NATS_PASSWORD", "NATS_TOKEN", "NATS_CREDS"),
    *("NATS_CERT", "NATS_KEY"),
)

# Names of rules and hosts that a summary holds, and characters of a host and of a refusal.
NAMED, LONGEST = 50, 200

NO_SEQUENCE = 2**63 - 1


async def inspected(asked: argparse.Namespace, settings: Settings) -> AsyncIterator[Line]:
    """``asked.topics``: those of the Function's triggers, which the caller has from the API
    server. ``asked.hours``, ``asked.most``: how old alerts may be, and how many are read.
    ``asked.environ``: the environment of the worker."""
    servers = nats_connection.shown(settings)
    try:
        connection = await connect_once(settings)
    except Exception as error:
        yield {"about": "nats", "servers": servers, "why": in_words(error)}
        return
    yield {"about": "nats", "servers": servers}
    yield {"about": "strangers", **await _strangers(settings)}
    jetstream = JetStream.of(connection, settings)
    found, name, last = await stream_of(jetstream)
    yield {"about": "stream", **found}
    if not name:
        return
    yield {"about": "records", "refused": await _refused(jetstream, settings)}
    since = Instant(time.time_ns() - asked.hours * 3600 * NANOSECONDS)
    bounds = Bounds(since, asked.most)
    counts = AlertCounts(_refusal(settings["PLAYBOOK"], asked.environ))
    try:
        read = await summary(connection, jetstream, name, last, asked.topics, bounds, counts)
    except (Unusable, ApiError) as error:
        yield {"about": "alerts", "unknown": str(error)}
        return
    yield {"about": "alerts", **read.to_dict()}


async def told(_asked: argparse.Namespace, settings: Settings) -> AsyncIterator[Line]:
    """What ``falco-playbook status`` asks: which version runs, and whether it reaches NATS.

    One line. ``stream`` as the inspection has it: its ``name`` and ``messages``, or why there is
    none; missing where ``why`` says that NATS is not reached. It changes nothing.
    """
    found: Line = {
        "version": VERSION,
        "python": platform.python_version(),
        "servers": nats_connection.shown(settings),
    }
    try:
        connection = await connect_once(settings)
    except Exception as error:
        yield {**found, "why": in_words(error)}
        return
    jetstream = JetStream.of(connection, settings)
    stream, _, _ = await stream_of(jetstream)
    yield {**found, "stream": stream}


def _refusal(playbook: str, environ: Mapping[str, str]) -> Optional[Refusal]:
    """With the worker's own settings; None where they make no playbook, which its log says."""
    try:
        responder = catalogue.load(playbook).responder(environ)
    except Exception:
        return None

    def refusal(alert: Alert, stored: Instant) -> Optional[Outcome]:
        found = responder.refusal(alert, stored)
        return responder.redaction.outcome(found) if found else None

    return refusal


async def _strangers(settings: Settings) -> Dict[str, Any]:
    """Whether NATS lets somebody in who has no credentials: tried, as the worker's neighbour."""
    bare = tuple(server.anonymous() for server in settings["NATS_URL"])
    nobody = {**settings, **dict.fromkeys(_CREDENTIALS, ""), "NATS_URL": bare}
    try:
        connection = await connect_once(nobody)
    except Exception as error:
        words = in_words(error)
        closed = any(word in words.lower() for word in ("authorization", "certificate", "tlsv1"))
        return {} if closed else {"unknown": words}
    await connection.close()
    return {"why": "it accepts anonymous connections"}


async def _refused(jetstream: JetStream, settings: Settings) -> Sequence[str]:
    """Where the worker's user may not publish what it puts on record."""
    own = function_of(settings, "")
    subjects = (own.dead_letters, own.outcomes)
    stored = await asyncio.gather(*(_may_store(jetstream, each) for each in subjects))
    return [subject for subject, may in zip(subjects, stored) if not may]


async def _may_store(jetstream: JetStream, subject: str) -> bool:
    """Nothing is stored: no stream's last message has this sequence. NATS answers nothing to who
    may not publish."""
    try:
        await jetstream.store(subject, b"", {}, last=NO_SEQUENCE)
    except asyncio.TimeoutError:
        return False
    except (Overtaken, Unusable, ApiError):
        pass
    return True


async def stream_of(jetstream: JetStream) -> Tuple[Line, str, int]:
    """What is said of the stream that stores alerts, its name and its last sequence."""
    try:
        listed = await jetstream.streams()
    except NoJetStream as error:
        return {"missing": str(error)}, "", 0
    except (Unusable, ApiError) as error:
        return {"unknown": str(error)}, "", 0
    try:
        found = streams.choose(listed, ALERTS.subjects)
    except Unusable as error:
        return {"why": str(error)}, "", 0
    if found is None:
        return {"why": f"no stream keeps {ALERTS.subjects}"}, "", 0
    name, state = found.config.name or "", found.state
    said: Line = {"name": name, "messages": state.messages}
    bounds = list(filter(None, map(streams.unbounded, streams.having(listed, STREAMS))))
    return {**said, **({"bounds": bounds} if bounds else {})}, name, state.last_seq


@dataclass
class AlertCounts:
    """Counts of messages. ``identified``: with a pod's uid or a container's id; ``unidentified``:
    about a pod without either, by rule; ``about_none``: about the host, or nothing of the cluster.
    ``passed``: alerts that no guard refuses by what is in them, ``refused`` the others by reason,
    ``words`` what was said of one of each. ``cut``: there are more than were read, older ones, or
    newer ones where time was up. ``renamed``: by topic none of whose alerts came, a subject that
    one is stored under."""

    refusal: Optional[Refusal] = None
    read: int = 0
    invalid: int = 0
    about_none: int = 0
    identified: int = 0
    unidentified: Counter[str] = field(default_factory=Counter)
    hosts: Counter[str] = field(default_factory=Counter)
    passed: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    words: Dict[str, str] = field(default_factory=dict)
    cut: bool = False
    renamed: Dict[str, str] = field(default_factory=dict)

    def add(self, body: bytes, stored: Instant) -> None:
        self.read += 1
        try:
            alert = Alert.parse(body)
        except InvalidAlert:
            self.invalid += 1
            return
        self.hosts[alert.hostname[:LONGEST]] += 1
        if not alert.claim.points_at_pod:
            self.about_none += 1
        elif alert.claim.has_id:
            self.identified += 1
        else:
            self.unidentified[alert.rule] += 1
        self._ask(alert, stored)

    def _ask(self, alert: Alert, stored: Instant) -> None:
        if self.refusal is None:
            return
        try:
            refused = self.refusal(alert, stored)
        except Exception:
            # Answering it says why.
            return
        if refused is None:
            self.passed += 1
            return
        self.refused[refused.reason] += 1
        self.words.setdefault(refused.reason, refused.message[:LONGEST])

    def to_dict(self) -> Dict[str, Any]:
        found = {name: value for name, value in vars(self).items() if name != "refusal"}
        return {
            **found,
            "unidentified": dict(self.unidentified.most_common(NAMED)),
            "hosts": dict(self.hosts.most_common(NAMED)),
            "refused": dict(self.refused.most_common()),
        }


@dataclass(frozen=True)
class Bounds:
    """``since``: earlier alerts do not count. ``most``: messages read, the newest. ``seconds``: in
    which they are."""

    since: Instant
    most: int = 5000
    seconds: float = 20.0


async def summary(
    connection: Any,
    jetstream: JetStream,
    stream: str,
    last: int,
    topics: Sequence[str],
    bounds: Bounds,
    found: AlertCounts,
) -> AlertCounts:
    """Of the alerts on these topics. ``last``: the sequence of the stream's newest message.
    ``found``: where they are counted.

    Raises Unusable or ApiError.
    """
    seen = SeenSubjects(topics)
    if not last:
        return found
    first = max(1, last - bounds.most + 1)
    start = {"deliver_policy": "by_start_sequence", "opt_start_seq": first}
    deadline = time.monotonic() + bounds.seconds
    async for batch in batches(connection, jetstream, stream, start, deadline):
        for origin, message in batch:
            if origin.stored < bounds.since:
                continue
            # The oldest that was asked for is of these hours: so may be what is before it.
            found.cut = found.cut or (origin.sequence == first > 1)
            seen.add(message.subject, message.data)
            if any(subjects.matches(topic, message.subject) for topic in topics):
                found.add(message.data, origin.stored)
        found.cut = found.cut or (batch[-1][0].pending > 0 and time.monotonic() > deadline)
    found.renamed = seen.renamed
    return found
