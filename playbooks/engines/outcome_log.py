"""The log of an engine: one JSON line an outcome, with a traceback for what nobody expected."""

from __future__ import annotations

import json
import sys
from typing import Any, Dict, Mapping, Optional, TextIO, Union

from playbooks.core.alert import SHORT, Alert
from playbooks.core.errors import GuardUnanswered, InvalidAlert, PlaybookError, Unexpected
from playbooks.core.notifications.cloud_event import ABOUT
from playbooks.core.outcome import Outcome
from playbooks.core.redaction.redaction import Redaction
from playbooks.engines import log

# What is said of the object that an alert points at.
CLAIMED = ("namespace", "pod", "uid", "container_id", "node")

# Characters of a field of an alert, beside its rule, of any of what is no alert, and of what its
# sender calls a delivery.
LONGEST = 253

_ALL = Redaction()


def record(
    playbook: str,
    body: Any,
    outcome: Outcome,
    *,
    event_id: str = "",
    redaction: Redaction = _ALL,
    stream: Optional[TextIO] = None,
) -> None:
    """Write what became of an alert, to standard error unless told otherwise."""
    document = line(playbook, body, outcome, event_id=event_id, redaction=redaction)
    if outcome.error is not None and _unexpected(outcome.error):
        document["traceback"] = log.traceback_of(outcome.error, redaction)
    log.write(document, stream or sys.stderr)


def _unexpected(error: PlaybookError) -> bool:
    """Whether where it came from says more than its words: an error of the code, not an answer."""
    if isinstance(error, GuardUnanswered):
        return error.__cause__ is not None and not isinstance(error.__cause__, PlaybookError)
    return isinstance(error, Unexpected)


def line(
    playbook: str,
    body: Any,
    outcome: Outcome,
    *,
    event_id: str = "",
    redaction: Redaction = _ALL,
) -> Dict[str, Any]:
    """The outcome's own keys, behind ``playbook``, ``event_id`` (the engine's, new for each
    delivery), ``alert``, as ``named`` has it, and ``claimed``, where no target is proven."""
    about: Dict[str, Any] = {"alert": redaction.document(named(body))}
    if outcome.target_ref is None:
        about.update(claimed(body, redaction))
    return {"playbook": playbook, "event_id": event_id[:LONGEST], **about, **outcome.to_dict()}


def named(body: Union[Alert, Mapping[str, Any], str, bytes, None]) -> Any:
    """The alert as a line names it: rule, priority, time, source, hostname and uuid, cut where they
    are long. Of a message that is no alert those that can be read; None where that is none of them.
    """
    try:
        alert = Alert.parse(body)
    except InvalidAlert:
        return _readable(body) or None
    found = {key: str(getattr(alert, key)) for key in ABOUT}
    return {key: text if key == "rule" else text[:LONGEST] for key, text in found.items()}


def claimed(
    body: Union[Alert, Mapping[str, Any], str, bytes, None], redaction: Redaction
) -> Dict[str, Dict[str, str]]:
    """``claimed``: what the alert points at, as far as it says: namespace, pod, uid, container_id
    and node. Nothing of it is proven. Each is a name or an id as Claim reads it, and so neither
    longer than 253 characters nor of other characters than names have. Empty where it is nothing.
    """
    try:
        claim = Alert.parse(body).claim
    except InvalidAlert:
        return {}
    if not (claim.points_at_pod or claim.host):
        return {}
    given = (claim.namespace, claim.pod, claim.uid, claim.container_id, claim.node)
    found = {key: redaction.text(text) for key, text in zip(CLAIMED, given) if text}
    return {"claimed": found} if found else {}


def _readable(body: Any) -> Dict[str, str]:
    if isinstance(body, (str, bytes)):
        if len(body) > SHORT:
            return {}
        try:
            body = json.loads(body, strict=False)
        except (ValueError, RecursionError):
            return {}
    found = {key: body.get(key) for key in ABOUT} if isinstance(body, Mapping) else {}
    return {key: text[:LONGEST] for key, text in found.items() if text and isinstance(text, str)}
