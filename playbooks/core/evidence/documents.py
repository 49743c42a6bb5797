"""A set of evidence: where it lies, the documents in it without what must not be in them, and the
manifest that says what came into it."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Tuple

from playbooks.core.alert import Alert
from playbooks.core.cluster.manifest import APPLIED
from playbooks.core.cluster.pod import Pod
from playbooks.core.instant import Instant
from playbooks.core.redaction.redaction import HIDDEN, Redaction

#: Written last: where it is there, the set is whole.
MANIFEST = "manifest.json"

_UNUSUAL = re.compile(r"[^A-Za-z0-9_.-]|(?<![A-Za-z0-9])\.|\.(?![A-Za-z0-9])", re.ASCII)
_LONGEST = 253

VERSION = 1

# Lists of names and values, in which a value may be a password whatever its name.
_VALUES = ("env", "httpHeaders")

_BEGIN, _END = "-----BEGIN", re.compile(r"-----END [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----")


@dataclass(frozen=True)
class Kept:
    """``url``: the set's. ``missing``: what of it could not be read, or not whole, and why."""

    url: str
    missing: Tuple[str, ...] = ()

    @property
    def words(self) -> str:
        lacking = f", without {'; '.join(self.missing)}" if self.missing else ""
        return f"evidence is in {self.url}{lacking}"

    @property
    def facts(self) -> Dict[str, Any]:
        found: Dict[str, Any] = {"evidence_url": self.url}
        if self.missing:
            found["evidence_missing"] = list(self.missing)
        return found


def directory(pod: Pod, alert: Alert, cluster_field: str) -> str:
    """The same for the same alert about the same pod, whenever it is asked.

    ``cluster_field``: the output field that names the cluster, in front where the alert has it.
    """
    cluster = alert.fields.get(cluster_field)
    time = str(alert.time).replace("-", "").replace(":", "")
    parts = [pod.namespace, pod.name, f"{time}-{pod.uid}"]
    if isinstance(cluster, str) and cluster:
        parts.insert(0, cluster)
    # Whoever publishes an alert chooses the cluster's name.
    return "/".join(_UNUSUAL.sub("-", part)[:_LONGEST] for part in parts)


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


def of_alert(alert: Alert, redaction: Redaction) -> bytes:
    """The alert as Falco writes one."""
    return text(redaction.named(alert.to_dict()))


def of_pod(pod: Pod, redaction: Redaction) -> bytes:
    """The pod's manifest: every value of a variable hidden, references to Secrets as they are."""
    return text(redaction.named(_without_values(pod.manifest)))


def of_events(events: List[Mapping[str, Any]], redaction: Redaction) -> bytes:
    return text(redaction.named(events))


def of_log(content: bytes, redaction: Redaction, *, cut: bool) -> bytes:
    """``cut``: its beginning is missing. What is then left of a private key goes too."""
    found = content.decode("utf-8", "replace")
    end = _END.search(found) if cut else None
    if end and _BEGIN not in found[: end.start()]:
        found = HIDDEN + found[end.end() :]
    return redaction.text(found).encode("utf-8", "replace")


def text(document: Any) -> bytes:
    return json.dumps(document, indent=2, ensure_ascii=False, default=str).encode(
        "utf-8", "replace"
    )


def _without_values(found: Any) -> Any:
    if isinstance(found, Mapping):
        return {key: _hidden(key, value) for key, value in found.items()}
    if isinstance(found, list):
        return [_without_values(value) for value in found]
    return found


def _hidden(key: Any, value: Any) -> Any:
    if key == APPLIED:
        return HIDDEN
    if key in _VALUES and isinstance(value, list):
        return [_valueless(entry) for entry in value]
    return _without_values(value)


def _valueless(entry: Any) -> Any:
    if not isinstance(entry, Mapping) or "value" not in entry:
        return entry
    valueless: Dict[str, Any] = {**entry, "value": HIDDEN}
    return valueless
