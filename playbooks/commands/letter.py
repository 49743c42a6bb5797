"""A dead letter, as it is said to people and to machines."""

from __future__ import annotations

import base64
from typing import Any, Dict, Mapping

from playbooks.core.alert import Alert
from playbooks.core.errors import InvalidAlert


def letter(line: Mapping[str, Any]) -> Dict[str, Any]:
    """Read from a line of the worker's. The keys are those of ``-o json``.

    Of what is no alert, time, rule, priority and target are null. ``stored``: when NATS got the
    alert; ``given_up``: when the worker wrote the letter. ``own``: of the Function that is there
    now, and not of an earlier one of its name, or of another cluster's. ``cut``: empty, or how
    long the body was before it was cut to fit.
    """
    headers: Mapping[str, str] = line["headers"]
    body = base64.b64decode(line["body"])

    def said(name: str) -> str:
        return str(headers.get(f"Falco-{name}", ""))

    deliveries = said("Deliveries")
    return {
        "id": line["id"],
        **_named(body),
        "reason": said("Reason"),
        "message": said("Message"),
        "deliveries": int(deliveries) if deliveries.isascii() and deliveries.isdigit() else None,
        "stored": said("Stored"),
        "given_up": line["stored"],
        "origin": said("Origin"),
        "subject": said("Subject"),
        "playbook": said("Playbook"),
        "function_uid": said("Function-Uid"),
        "own": line["own"],
        "cut": said("Cut"),
        **_text(body),
    }


def _named(body: bytes) -> Dict[str, Any]:
    try:
        alert = Alert.parse(body)
    except InvalidAlert:
        return dict.fromkeys(("time", "rule", "priority", "target"))
    return {
        "time": str(alert.time),
        "rule": alert.rule,
        "priority": str(alert.priority),
        "target": _target(alert) or None,
    }


def _target(alert: Alert) -> str:
    """What it points at, in the words of an outcome; nothing of it is proven."""
    claim = alert.claim
    if claim.host:
        return f"node {claim.node}".strip()
    if claim.pod:
        return f"pod {claim.namespace}/{claim.pod}" if claim.namespace else f"pod {claim.pod}"
    if claim.uid:
        return f"pod of uid {claim.uid}"
    return f"container {claim.container_id}" if claim.container_id else ""


def _text(body: bytes) -> Dict[str, str]:
    try:
        return {"body": body.decode("utf-8")}
    except UnicodeDecodeError:
        return {"body_base64": base64.b64encode(body).decode("ascii")}
