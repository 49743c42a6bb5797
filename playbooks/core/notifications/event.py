"""The Kubernetes Event that an outcome becomes, on the object concerned.

Source: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
"""

from __future__ import annotations

import re
from typing import Any, Dict, Optional

from playbooks.core.cluster.permissions import account
from playbooks.core.cluster.workload import api_of
from playbooks.core.instant import Instant
from playbooks.core.notifications import kinds
from playbooks.core.notifications.plain_text import plain
from playbooks.core.outcome import Outcome, TargetRef
from playbooks.core.settings import DNS_LABEL

API = "events.k8s.io/v1"
CONTROLLER = "falco-playbooks"

# Labels of an Event: whose it is. Annotations: what it says, for machines, and the pod that wrote
# it.
PLAYBOOK = "falco/playbook"
FUNCTION, HOME = "falco/function", "falco/function-namespace"
STATUS, RULE, TIME, BY = "falco/status", "falco/rule", "falco/alert-time", "falco/by"
INSTANCE, TRACE = "falco/instance", "falco/trace-id"

# What the API takes. Source: k8s.io/kubernetes, pkg/apis/core/validation/events.go
LONGEST_NOTE, LONGEST_WORD, LONGEST_NAME = 1024, 128, 200

# Where Events about what belongs to no namespace lie.
OF_NO_NAMESPACE = "default"

_WARNINGS = (
    *(kinds.FAILED, kinds.HELD, kinds.WAITS, kinds.TRIPPED),
    *(kinds.NOT_VERIFIED, kinds.UNCONFIRMED),
)


def event(
    outcome: Outcome,
    now: Instant,
    *,
    playbook: str,
    function: str,
    home: str,
    instance: str,
    rule: str = "",
    alert_time: str = "",
) -> Optional[Dict[str, Any]]:
    """None where there is nothing to tell, or no object that it concerns.

    ``function``: empty outside of one; ``home``: its namespace; ``instance``: the pod, or the
    machine, that writes. A function reports as its account, which admission can check.
    The note has rule and message, and never the alert's text.
    """
    kind, target_ref = kinds.kind(outcome), outcome.target_ref
    if not kind or target_ref is None:
        return None
    by = str(outcome.details.get("by") or "")
    whose = {PLAYBOOK: playbook, FUNCTION: function, HOME: home}
    said = {STATUS: kind, RULE: rule, TIME: alert_time, BY: by, INSTANCE: instance}
    said[TRACE] = outcome.trace_id
    return {
        "apiVersion": API,
        "kind": "Event",
        "metadata": {
            "name": _name(target_ref, now),
            "namespace": target_ref.namespace or OF_NO_NAMESPACE,
            "labels": {key: value for key, value in whose.items() if value},
            "annotations": {key: plain(value) for key, value in said.items() if value},
        },
        "eventTime": micro_time(now),
        "type": "Warning" if kind in _WARNINGS else "Normal",
        "reason": _camel(outcome.reason, "would " if kind == kinds.WOULD else ""),
        "action": target_ref.verb[:LONGEST_WORD],
        "regarding": _regarding(target_ref),
        "note": _cut(f"{rule}: {outcome.message}" if rule else outcome.message),
        "reportingController": f"{CONTROLLER}/{playbook}",
        "reportingInstance": (account(home, function) if function else instance)[:LONGEST_WORD],
    }


def micro_time(now: Instant) -> str:
    """The API's MicroTime has six digits."""
    return str(now)[:26] + "Z"


def _name(target_ref: TargetRef, now: Instant) -> str:
    """As client-go names them: the object's name, and the time. Names of RBAC may have characters
    that no Event's has."""
    name = target_ref.name[:LONGEST_NAME].rstrip(".-")
    if not all(map(DNS_LABEL.fullmatch, name.split("."))):
        name = re.sub("[^a-z0-9]+", "-", name.lower()).strip("-") or "object"
    return f"{name}.{now.nanoseconds:x}"


def _regarding(target_ref: TargetRef) -> Dict[str, str]:
    found = {
        "apiVersion": target_ref.api or api_of(target_ref.kind),
        "kind": target_ref.kind,
        "name": target_ref.name,
        "uid": target_ref.uid,
    }
    if target_ref.namespace:
        found["namespace"] = target_ref.namespace
    return found


def _camel(code: str, prefix: str) -> str:
    """``deletion-accepted`` as kubectl shows reasons: ``DeletionAccepted``."""
    words = (prefix + code).replace("-", " ").split()
    return "".join(word[:1].upper() + word[1:] for word in words)[:LONGEST_WORD]


def code(reason: str) -> str:
    """The reason code of which an Event's reason was made: ``deletion-accepted``."""
    found = re.sub(r"(?<!^)(?=[A-Z])", "-", reason).lower()
    return found[len("would-") :] if found.startswith("would-") else found


def _cut(note: str) -> str:
    """At most 1024 bytes, and whole letters."""
    encoded = plain(note).encode("utf-8")
    return encoded[:LONGEST_NOTE].decode("utf-8", "ignore")
