"""Evidence of a pod, read from the cluster and stored as files, within bounds."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Callable, Iterator, List, Mapping, Optional, Tuple, TypeVar

from playbooks.core.alert import Alert
from playbooks.core.cluster.pod import Pod
from playbooks.core.errors import AlreadyExists, EvidenceUnavailable, PlaybookError
from playbooks.core.evidence import documents, steps
from playbooks.core.evidence import settings as evidence
from playbooks.core.evidence.documents import MANIFEST, Kept, Manifest, directory, missing_of
from playbooks.core.evidence.steps import Log, last_lines
from playbooks.core.instant import Instant
from playbooks.core.ports import Clock, Cluster, Evidence
from playbooks.core.redaction.redaction import Redaction
from playbooks.core.settings import Settings
from playbooks.infrastructure.evidence.files import EvidenceFiles

T = TypeVar("T")

# Seconds for one read of the cluster, at most: a kubelet that is away answers much later.
READ = 3.0

# The share of what time there is in which the cluster is read; the rest is for storing.
READING = 2 / 3

NO_TIME, NO_SPACE = "EVIDENCE_TIME is used up", "EVIDENCE_BYTES are used up"
TOO_MANY = f"snapshots are made of {steps.MOST_CLAIMS} claims at most"


class EvidenceKeeper(Evidence):
    """One set of files an alert: what it cannot read is missing, what it cannot store an error."""

    def __init__(
        self,
        cluster: Cluster,
        files: EvidenceFiles,
        clock: Clock,
        redaction: Redaction,
        settings: Settings,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster = cluster
        self._files = files
        self._clock = clock
        self._redaction = redaction
        self._settings = settings
        self._monotonic = monotonic

    def keep(self, pod: Pod, alert: Alert) -> Kept:
        try:
            return self._keep(pod, alert)
        except EvidenceUnavailable as error:
            raise EvidenceUnavailable(self._redaction.text(str(error))) from None
        except Exception as error:  # whatever it is, EVIDENCE_REQUIRED decides what follows
            said = self._redaction.text(f"{type(error).__name__}: {error}")
            raise EvidenceUnavailable(said) from error

    def _keep(self, pod: Pod, alert: Alert) -> Kept:
        place = directory(pod, alert, self._settings["CLUSTER_FIELD"])
        url = f"{self._files.url}/{place}"
        until = self._monotonic() + self._settings[evidence.TIME.name]
        there = self._files.read(f"{place}/{MANIFEST}", seconds=until - self._monotonic())
        missing = missing_of(there) if there else None
        if missing is not None:
            return Kept(url, missing)
        made = EvidenceSet(
            self._cluster,
            self._files,
            self._redaction,
            place=place,
            most=self._settings[evidence.BYTES.name],
            most_of_log=self._settings[evidence.LOG_BYTES.name],
            until=until,
            monotonic=self._monotonic,
        )
        made.add("alert.json", "the alert", documents.of_alert(alert, self._redaction))
        made.add("pod.json", "the pod's manifest", documents.of_pod(pod, self._redaction))
        made.add_events(pod)
        containers = _containers(pod, alert)
        for container in containers:
            made.add_log(pod, container, previous=False)
            made.add_log(pod, container, previous=True)
        for step in self._steps(containers[0]) if containers else ():
            made.add_output(pod, containers[0], step)
        if self._settings.get(evidence.SNAPSHOTS.name):
            made.add_snapshots(pod, alert)
        made.close(pod, alert, self._clock.now())
        return Kept(url, made.missing)

    def _steps(self, container: str) -> Iterator[EvidenceStep]:
        """Those that the playbook's settings ask for. What changes fastest is first."""
        if self._settings.get(evidence.PROCESSES.name):
            most = self._settings[evidence.LOG_BYTES.name]
            said = f"the processes of {container}"
            yield EvidenceStep("processes.txt", said, steps.LISTING, most, is_text=True)
        for number, path in enumerate(self._settings.get(evidence.FILES.name, ()), 1):
            name = f"files/{number}{'.tar' if path.endswith('/') else ''}"
            most = self._settings[evidence.FILE_BYTES.name]
            yield EvidenceStep(name, f"{path} of {container}", steps.reading(path), most)


@dataclass(frozen=True)
class EvidenceStep:
    """A file of the set that a command in a container writes. ``is_text``: it is redacted."""

    name: str
    source: str
    command: Tuple[str, ...]
    most: int
    is_text: bool = False


class EvidenceSet:
    """One set in the making: each file is read, redacted, stored and forgotten.

    ``most``: bytes of all logs; ``until``: when everything has to be stored, by ``monotonic``.

    What cannot be read is noted. What cannot be stored raises EvidenceUnavailable.
    """

    def __init__(
        self,
        cluster: Cluster,
        files: EvidenceFiles,
        redaction: Redaction,
        *,
        place: str,
        most: int,
        most_of_log: int,
        until: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster = cluster
        self._files = files
        self._redaction = redaction
        self._place = place
        self._space = most
        self._most_of_log = most_of_log
        self._monotonic = monotonic
        self._until = until
        now = monotonic()
        self._reads_until = now + (until - now) * READING
        self._manifest = Manifest()

    @property
    def missing(self) -> Tuple[str, ...]:
        return self._manifest.missing

    def add(self, name: str, source: str, content: bytes, cut: str = "") -> None:
        self._write(name, content)
        self._manifest.stored(name, source, content, cut)

    def add_events(self, pod: Pod) -> None:
        source = "the pod's Events"
        events = self._read(source, lambda seconds: self._cluster.events_of(pod, seconds=seconds))
        if events is not None:
            self.add("events.json", source, documents.of_events(events, self._redaction))

    def add_log(self, pod: Pod, container: str, *, previous: bool) -> None:
        """A run before that is not there is nothing that is missing."""
        source = f"the log of {container}" + (" before its last start" if previous else "")
        expected = not previous or pod.restarts(container) > 0
        most = min(self._most_of_log, self._space)
        if most <= 0:
            return self._unread(source, NO_SPACE, expected)

        def read(seconds: float) -> Log:
            return self._cluster.log(
                pod, container, previous=previous, most_bytes=most, seconds=seconds
            )

        log = self._read(source, read, expected=expected)
        return None if log is None else self._add_log(log, container, source, most, previous)

    def _add_log(self, log: Log, container: str, source: str, most: int, previous: bool) -> None:
        redacted = documents.of_log(log.content, self._redaction, cut=not log.beginning)
        content, cut = last_lines(redacted, most), log.cut
        if len(content) < len(redacted) and not cut:
            cut = f"the first {len(redacted) - len(content)} bytes are left out"
        self._space -= len(content)
        self.add(f"logs/{container}{'.previous' if previous else ''}.log", source, content, cut)

    def add_output(self, pod: Pod, container: str, what: EvidenceStep) -> None:
        """What a command in a container writes."""
        most = min(what.most, self._space)
        if most <= 0:
            return self._unread(what.source, NO_SPACE, True)

        def read(seconds: float) -> Log:
            return self._cluster.output_of(
                pod, container, what.command, most_bytes=most, seconds=seconds
            )

        found = self._read(what.source, read)
        if found is None:
            return None
        content, cut = found.content, found.cut
        if what.is_text:
            redacted = documents.of_log(content, self._redaction, cut=False)
            content = redacted[:most]
            if len(content) < len(redacted) and not cut:
                cut = f"the last {len(redacted) - len(content)} bytes are left out"
        self._space -= len(content)
        return self.add(what.name, what.source, content, cut)

    def add_snapshots(self, pod: Pod, alert: Alert) -> None:
        """Made, and not waited for."""
        made = []
        listed = pod.volume_claims
        for number, claim in enumerate(listed[: steps.MOST_CLAIMS], 1):
            manifest = steps.snapshot(pod, claim, alert.time, number)
            source = f"a snapshot of claim {claim}"
            done = self._read(source, partial(self._snapshot, manifest))
            made += [{"claim": claim, "snapshot": manifest["metadata"]["name"]}] if done else []
        for claim in listed[steps.MOST_CLAIMS :]:
            self._unread(f"a snapshot of claim {claim}", TOO_MANY, True)
        if made:
            self.add("snapshots.json", "the snapshots", documents.text(made))

    def _snapshot(self, manifest: Mapping[str, Any], _seconds: float) -> bool:
        with suppress(AlreadyExists):  # by an earlier try
            self._cluster.create_snapshot(manifest)
        return True

    def _read(
        self, source: str, read: Callable[[float], T], *, expected: bool = True
    ) -> Optional[T]:
        """What is read within the time that is left, or None and a note of why not."""
        seconds = min(READ, self._reads_until - self._monotonic())
        if seconds <= 0:
            self._unread(source, NO_TIME, expected)
            return None
        try:
            return read(seconds)
        except PlaybookError as error:
            self._unread(source, self._redaction.text(str(error)), expected)
            return None

    def _unread(self, source: str, why: str, expected: bool) -> None:
        if expected:
            self._manifest.unread(source, why)

    def close(self, pod: Pod, alert: Alert, now: Instant) -> None:
        """Write the manifest, which tells that the set is whole."""
        document = self._manifest.document(pod, alert, now)
        self._write(MANIFEST, documents.text(document))

    def _write(self, name: str, content: bytes) -> None:
        left = self._until - self._monotonic()
        self._files.write(f"{self._place}/{name}", content, seconds=left)


def _containers(pod: Pod, alert: Alert) -> List[str]:
    """All of them, the alert's first: time or space may not suffice for all."""
    concerned = pod.container(alert.claim.container_id) if alert.claim.container_id else None
    names = [container.name for container in pod.containers]
    return sorted(names, key=lambda name: concerned is None or name != concerned.name)
