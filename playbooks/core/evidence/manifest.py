"""What a set of evidence consists of: written last, it tells that the set is whole."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Dict, List, Optional, Tuple

from playbooks.core.alert import Alert
from playbooks.core.cluster.pod import Pod
from playbooks.core.instant import Instant

VERSION = 1


class Manifest:
    """``missing``: what the set lacks, in words, and why."""

    def __init__(self) -> None:
        self._files: List[Dict[str, Any]] = []
        self._unread: List[Dict[str, str]] = []

    def stored(self, name: str, source: str, content: bytes, cut: str = "") -> None:
        """``cut``: what is left out of the file, in words; empty where it is whole."""
        entry: Dict[str, Any] = {"name": name, "source": source, "size": len(content)}
        entry["sha256"] = hashlib.sha256(content).hexdigest()
        self._files.append({**entry, "cut": cut} if cut else entry)

    def unread(self, source: str, why: str) -> None:
        self._unread.append({"source": source, "why": why})

    @property
    def missing(self) -> Tuple[str, ...]:
        return tuple(f"{entry['source']} ({entry['why']})" for entry in self._unread)

    def document(self, pod: Pod, alert: Alert, now: Instant) -> Dict[str, Any]:
        return {
            "version": VERSION,
            "collected": str(now),
            "alert": {"rule": alert.rule, "time": str(alert.time), "uuid": alert.uuid},
            "pod": {
                "namespace": pod.namespace,
                "name": pod.name,
                "uid": pod.uid,
                "node": pod.node,
            },
            "files": self._files,
            "unread": self._unread,
            "missing": list(self.missing),
        }


def missing_of(written: bytes) -> Optional[Tuple[str, ...]]:
    """What a set lacks whose manifest this is; None where it is none, or was not written whole."""
    try:
        document = json.loads(written)
        return tuple(str(words) for words in document["missing"])
    except (ValueError, KeyError, TypeError):
        return None
