"""AWS Lambda: alerts by invocation, in messages of SNS and EventBridge, and in batches of SQS.

Lambda repeats an invocation that raised, where it was asynchronous: SNS's, EventBridge's, and those
of whom asks for it. Of a batch it hears which messages failed, and the others are deleted. So what
would fail again is returned, and only what may succeed later raises, or stays in its queue.

Source: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html and
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import Any, Callable, Dict, List, Mapping, Optional

from playbooks.core.playbook import Playbook
from playbooks.core.ports import Collaborators
from playbooks.engines.pushed import PATIENCE, SHORT_PATIENCE, TIMEOUT, PushedAlerts
from playbooks.engines.retrying import SHARE
from playbooks.engines.runtime import Intent, Reply

# It is given what the JSON of the event is, and Lambda's context.
Handler = Callable[[Any, Any], Any]

# Seconds that have to be left for another message of a batch.
LEAST = 20.0

SQS, SNS = "aws:sqs", "aws:sns"


class AlertToTryAgain(Exception):
    """What Lambda hears of an alert that may succeed later. The words are the outcome's."""


def handler(
    playbook: Playbook,
    environ: Mapping[str, str] = os.environ,
    collaborators: Optional[Collaborators] = None,
    *,
    patience: float = PATIENCE,
) -> Handler:
    """The function that Lambda calls. Raises InvalidSetting when it is made.

    It returns the outcome, also of a skipped alert and of one that would fail again; for SQS the
    messages that are to come again. It raises AlertToTryAgain for what may succeed later. The
    result is JSON whatever the playbook put into its outcome: an error after the action would have
    it repeated.
    """
    alerts = PushedAlerts(playbook, environ, collaborators, seconds=patience)

    def handler(event: Any, context: Any) -> Any:
        name = str(getattr(context, "aws_request_id", ""))
        records = event.get("Records") if isinstance(event, Mapping) else None
        if isinstance(records, list):
            source = _source(records)
            if source == SQS:
                return {"batchItemFailures": _failures(alerts, records, context)}
            if source == SNS:
                seconds = _hasty(context)
                return _told([_published(alerts, record, seconds) for record in records])
            why = f"records of {source or 'several sources'}, expected those of {SQS} or {SNS}"
            return _told([alerts.refuse(why, event_id=name)])
        if _is_of_event_bridge(event):
            detail, name, seconds = event["detail"], str(event.get("id") or name), _hasty(context)
            return _told([alerts.handle(detail, event_id=name, redelivers=True, seconds=seconds)])
        return _told([alerts.handle(event, event_id=name, seconds=_left(context) * SHARE)])

    return handler


def _left(context: Any) -> float:
    """Seconds until Lambda ends the process."""
    ask = getattr(context, "get_remaining_time_in_millis", None)
    return float(ask()) / 1000 if ask else float(TIMEOUT)


def _hasty(context: Any) -> float:
    """Seconds within which an alert is tried again here that also comes again."""
    return min(SHORT_PATIENCE, _left(context) * SHARE)


def _source(records: List[Any]) -> str:
    """Of all of them; empty where they have several or none."""
    found = {_text(record, "eventSource") or _text(record, "EventSource") for record in records}
    return found.pop() if len(found) == 1 else ""


def _is_of_event_bridge(event: Any) -> bool:
    """Falco's own keys are others, whatever an attacker has in their values."""
    return (
        isinstance(event, Mapping)
        and {"detail", "detail-type", "source"} <= set(event)
        and "rule" not in event
    )


def _failures(alerts: PushedAlerts, records: List[Any], context: Any) -> List[Dict[str, str]]:
    """The messages that are to come again, as Lambda takes them."""
    ordered = any(_text(record, "eventSourceARN").endswith(".fifo") for record in records)
    failed: List[Any] = []
    for number, record in enumerate(records):
        if (ordered and failed) or (number and _left(context) < LEAST):
            # In a queue that keeps the order, none overtakes one that failed.
            failed += records[number:]
            break
        reply = alerts.handle(
            _unwrapped(record),
            event_id=_text(record, "messageId"),
            redelivers=True,
            seconds=_hasty(context),
        )
        if reply.intent is Intent.AGAIN:
            failed.append(record)
    names = [_text(record, "messageId") for record in failed]
    if not all(names):
        raise AlertToTryAgain("a message of SQS has no messageId: the whole batch comes again")
    return [{"itemIdentifier": name} for name in names]


def _unwrapped(record: Any) -> Any:
    """The text of a message of SQS; where it came by SNS, which wraps it, that of SNS."""
    body = record.get("body")
    with suppress(ValueError, TypeError, RecursionError):
        document = json.loads(body, strict=False)
        if isinstance(document, Mapping) and document.get("Type") == "Notification":
            return document.get("Message")
    return body


def _published(alerts: PushedAlerts, record: Any, seconds: float) -> Reply:
    """What became of a message of SNS."""
    found = record.get("Sns")
    message: Mapping[str, Any] = found if isinstance(found, Mapping) else {}
    name, text = _text(message, "MessageId"), message.get("Message")
    attributes = message.get("MessageAttributes")
    described = isinstance(attributes, Mapping) and "rule" in attributes
    if described and not str(text).lstrip().startswith("{"):
        why = (
            "the message is the text of an alert only: set aws.sns.rawjson of Falcosidekick to true"
        )
        return alerts.refuse(why, event_id=name)
    return alerts.handle(text, event_id=name, redelivers=True, seconds=seconds)


def _text(document: Any, key: str) -> str:
    value = document.get(key) if isinstance(document, Mapping) else None
    return value if isinstance(value, str) else ""


def _told(replies: List[Reply]) -> Dict[str, Any]:
    for reply in replies:
        if reply.intent is Intent.AGAIN:
            raise AlertToTryAgain(_printable(f"{reply.outcome.reason}: {reply.outcome.message}"))
    found = [_serialisable(reply.outcome.to_dict()) for reply in replies]
    return found[0] if len(found) == 1 else {"outcomes": found}


def _serialisable(document: Mapping[str, Any]) -> Dict[str, Any]:
    """The same as JSON has it, without what JSON has not."""
    try:
        text = _json(document)
    except (TypeError, ValueError, RecursionError):
        text = _json({**document, "details": {"left_out": "the details are no JSON"}})
    found: Dict[str, Any] = json.loads(_printable(text))
    return found


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, default=str, allow_nan=False, ensure_ascii=False)


def _printable(text: str) -> str:
    """Half of a surrogate pair would be an error on the way out."""
    return text.encode("utf-8", "replace").decode("utf-8")
