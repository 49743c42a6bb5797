"""What is kept of a pod beside its logs, where that is asked for."""

from __future__ import annotations

from typing import Any, Dict, Tuple

from playbooks.core.cluster.pod import Pod
from playbooks.core.instant import Instant

# The commands that are run in a container, and no others: that which lists processes, with full
# command lines; those that write a file to standard output, and a directory, whose last word is the
# path.
LISTING = ("ps", "-ef")
READING = (("cat", "--"), ("tar", "-cf", "-", "--"))

# Source: https://kubernetes.io/docs/concepts/storage/volume-snapshots/
SNAPSHOT_API = "snapshot.storage.k8s.io"

# What the names of snapshots begin with.
SNAPSHOT_NAME = "falco-evidence-"

# Claims of a pod of which snapshots are made, at most.
MOST_CLAIMS = 10


def reading(path: str) -> Tuple[str, ...]:
    """The command that writes a file, or a directory as a tar file, to standard output."""
    file, directory = READING
    return (*(directory if path.endswith("/") else file), path)


def snapshot(pod: Pod, claim: str, at: Instant, number: int) -> Dict[str, Any]:
    """Of the default class. Its name is made of what no pod says."""
    return {
        "apiVersion": f"{SNAPSHOT_API}/v1",
        "kind": "VolumeSnapshot",
        "metadata": {
            "name": f"{SNAPSHOT_NAME}{pod.uid}-{at.seconds}-{number}",
            "namespace": pod.namespace,
            "labels": {"falco/evidence": pod.uid},
        },
        "spec": {"source": {"persistentVolumeClaimName": claim}},
    }
