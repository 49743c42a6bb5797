"""What is read of a pod's containers, and made of its volumes, before it goes."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, Callable, Deque, Dict, Iterable, Tuple

from playbooks.core.cluster.pod import Pod
from playbooks.core.instant import Instant

# Lines asked for at most: a kubelet counts lines from the end, and bytes from the beginning.
MOST_LINES = 50_000

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


@dataclass(frozen=True)
class Log:
    """What was read of a container: of its log, or of the output of a command.

    ``cut``: what is left out of it, in words; empty where it is whole.
    ``beginning``: whether its beginning is there.
    """

    content: bytes
    cut: str = ""
    beginning: bool = True

    @classmethod
    def end_of(
        cls, parts: Iterable[bytes], *, most: int, in_time: Callable[[], bool] = lambda: True
    ) -> Log:
        """The last whole lines that fit into ``most`` bytes, without ever holding much more.

        ``parts``: at most the last MOST_LINES lines. What comes when it is no longer ``in_time``
        is left.
        """
        held: Deque[bytes] = deque()
        size = read = lines = 0
        late = False
        for part in parts:
            held.append(part)
            size, read, lines = size + len(part), read + len(part), lines + part.count(b"\n")
            while size - len(held[0]) > most:
                size -= len(held.popleft())
            if not in_time():
                late = True
                break
        content = last_lines(b"".join(held), most)
        gone = read - len(content)
        cuts = []
        if lines >= MOST_LINES:
            cuts.append(f"only the last {MOST_LINES} lines were read")
        if gone:
            cuts.append(f"the first {gone} bytes that were read are left out")
        if late:
            cuts.append("reading took too long, the newest lines are missing")
        return cls(content, "; ".join(cuts), beginning=not gone and lines < MOST_LINES)


def last_lines(content: bytes, most: int) -> bytes:
    """The end of it, from the beginning of a line on: half a password is none to a pattern."""
    if len(content) <= most:
        return content
    _, _, whole = content[-most:].partition(b"\n")
    return whole


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
