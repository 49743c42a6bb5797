"""Links of a message: templates with fields, which an attacker may have written in part.

A field is filled in from a safe alphabet: letters and digits of ASCII, ``-``, ``_`` and dots that
do not lead; anything else is percent-encoded. None stands in front of the path, so that no alert
chooses where a link leads.
"""

from __future__ import annotations

import re
from typing import Mapping, Optional
from urllib.parse import quote

from playbooks.core.alert import Alert
from playbooks.core.outcome import Outcome
from playbooks.core.settings import http_url
from playbooks.core.subjects import slug

FIELDS = (
    *("playbook", "rule", "priority", "cluster", "namespace", "pod", "node", "reason"),
    *("trace_id", "time"),
)

# Characters of a field's value.
LONGEST = 200

_FIELD = re.compile(r"\{([^{}]*)\}")


def template(value: str) -> str:
    """A URL with fields such as ``{rule}`` behind its host."""
    unknown = [name for name in _FIELD.findall(value) if name not in FIELDS]
    if unknown:
        raise ValueError(
            f"fields {', '.join(f'{{{name}}}' for name in FIELDS)}, not {{{unknown[0]}}}"
        )
    bare = _FIELD.sub("", value)
    host = value.partition("://")[2].partition("/")[0].partition("?")[0]
    if any(character in bare for character in "{}|<>\"'`\\") or "{" in host:
        raise ValueError("a URL with fields such as {rule} behind its host only")
    return http_url(value)


def filled(template: str, fields: Mapping[str, str]) -> str:
    return _FIELD.sub(lambda found: _safe(fields.get(found[1], "")), template)


def of_outcome(
    playbook: str, alert: Alert, outcome: Optional[Outcome], cluster: str
) -> Mapping[str, str]:
    """The fields of a message. ``rule`` as in a topic: ``terminal_shell_in_container``."""
    claim = alert.claim
    target_ref = outcome.target_ref if outcome else None
    pod = target_ref if target_ref is not None and target_ref.kind == "Pod" else None
    node = target_ref if target_ref is not None and target_ref.kind == "Node" else None
    return {
        "playbook": playbook,
        "rule": slug(alert.rule),
        "priority": str(alert.priority).lower(),
        "cluster": cluster,
        "namespace": pod.namespace if pod else claim.namespace,
        "pod": pod.name if pod else claim.pod,
        "node": node.name if node else claim.node,
        "reason": outcome.reason if outcome else "",
        "trace_id": outcome.trace_id if outcome else "",
        "time": alert.time.to_the_second,
    }


def _safe(value: str) -> str:
    return quote(value[:LONGEST].lstrip("."), safe="").replace("~", "%7E")
