"""The documents of a set, without what must not be in them."""

from __future__ import annotations

import json
import re
from typing import Any, Callable, Dict, List, Mapping

from playbooks.core.alert import Alert
from playbooks.core.cluster.pod import Pod

Redact = Callable[[str], str]

HIDDEN = "***"

# Lists of names and values, in which a value may be a password whatever its name.
_VALUES = ("env", "httpHeaders")

# Holds the whole manifest once more, as text.
_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

_BEGIN, _END = "-----BEGIN", re.compile(r"-----END [A-Z ]{0,40}PRIVATE KEY-----")


def of_alert(alert: Alert, redact: Redact) -> bytes:
    """The alert as Falco writes one."""
    document = {
        "rule": alert.rule,
        "priority": str(alert.priority),
        "time": str(alert.time),
        "output": alert.output,
        "source": alert.source,
        "hostname": alert.hostname,
        "tags": list(alert.tags),
        "uuid": alert.uuid,
        "output_fields": dict(alert.fields),
    }
    return text(_redacted(document, redact))


def of_pod(pod: Pod, redact: Redact) -> bytes:
    """The pod's manifest: every value of a variable hidden, references to Secrets as they are."""
    return text(_redacted(_without_values(pod.manifest), redact))


def of_events(events: List[Mapping[str, Any]], redact: Redact) -> bytes:
    return text(_redacted(events, redact))


def of_log(content: bytes, redact: Redact, *, cut: bool) -> bytes:
    """``cut``: its beginning is missing. What is then left of a private key goes too."""
    found = content.decode("utf-8", "replace")
    end = _END.search(found) if cut else None
    if end and _BEGIN not in found[: end.start()]:
        found = HIDDEN + found[end.end() :]
    return redact(found).encode("utf-8", "replace")


def text(document: Any) -> bytes:
    return json.dumps(document, indent=2, ensure_ascii=False, default=str).encode(
        "utf-8", "replace"
    )


def _redacted(found: Any, redact: Redact) -> Any:
    if isinstance(found, str):
        return redact(found)
    if isinstance(found, Mapping):
        return {key: _named(key, value, redact) for key, value in found.items()}
    if isinstance(found, (list, tuple)):
        return [_redacted(value, redact) for value in found]
    return found


def _named(key: Any, value: Any, redact: Redact) -> Any:
    """A value whose name tells that it is a secret tells so only beside its name."""
    if isinstance(value, str) and redact(f"{key}=x") == f"{key}={HIDDEN}":
        return HIDDEN
    return _redacted(value, redact)


def _without_values(found: Any) -> Any:
    if isinstance(found, Mapping):
        return {key: _hidden(key, value) for key, value in found.items()}
    if isinstance(found, list):
        return [_without_values(value) for value in found]
    return found


def _hidden(key: Any, value: Any) -> Any:
    if key == _APPLIED:
        return HIDDEN
    if key in _VALUES and isinstance(value, list):
        return [_valueless(entry) for entry in value]
    return _without_values(value)


def _valueless(entry: Any) -> Any:
    if not isinstance(entry, Mapping) or "value" not in entry:
        return entry
    valueless: Dict[str, Any] = {**entry, "value": HIDDEN}
    return valueless
