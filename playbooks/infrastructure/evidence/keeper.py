"""Evidence of a pod, read from the cluster and stored as files, within bounds."""

from __future__ import annotations

import time
from typing import Callable, Iterator, List

from playbooks.core.alert import Alert
from playbooks.core.cluster.pod import Pod
from playbooks.core.errors import EvidenceUnavailable
from playbooks.core.evidence import documents, steps
from playbooks.core.evidence import settings as evidence
from playbooks.core.evidence.kept import MANIFEST, Kept, directory, missing_of
from playbooks.core.ports import Clock, Cluster, Evidence
from playbooks.core.redaction.redaction import Redaction
from playbooks.core.settings import Settings
from playbooks.infrastructure.evidence.files import EvidenceFiles
from playbooks.infrastructure.evidence.set import EvidenceSet, EvidenceStep


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
        for container in _containers(pod, alert):
            made.add_log(pod, container, previous=False)
            made.add_log(pod, container, previous=True)
        containers = _containers(pod, alert)
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


def _containers(pod: Pod, alert: Alert) -> List[str]:
    """All of them, the alert's first: time or space may not suffice for all."""
    concerned = pod.container(alert.claim.container_id) if alert.claim.container_id else None
    names = [container.name for container in pod.containers]
    return sorted(names, key=lambda name: concerned is None or name != concerned.name)
