"""The documents of a set, without what must not be in them."""

from __future__ import annotations

import json
import re
from typing import Any, Dict, List, Mapping

from playbooks.core.alert import Alert
from playbooks.core.cluster.manifest import APPLIED
from playbooks.core.cluster.pod import Pod
from playbooks.core.redaction.redaction import HIDDEN, Redaction

# Lists of names and values, in which a value may be a password whatever its name.
_VALUES = ("env", "httpHeaders")

_BEGIN, _END = "-----BEGIN", re.compile(r"-----END [A-Z ]{0,40}PRIVATE KEY-----")


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
