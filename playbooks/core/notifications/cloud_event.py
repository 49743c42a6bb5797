"""CloudEvents of alerts and outcomes, for programs.

Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Dict, Mapping

from playbooks.core.alert import Alert
from playbooks.core.outcome import Outcome
from playbooks.core.redaction.redaction import Redaction
from playbooks.core.subjects import slug

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"

# Their types: what is in ``data``.
ALERT, OUTCOME = "falco.playbooks.alert.v1", "falco.playbooks.outcome.v1"

# What is said of the alert of an outcome.
ABOUT = ("rule", "priority", "time", "source", "hostname", "uuid")

Event = Dict[str, Any]


def of_alert(playbook: str, alert: Alert, redaction: Redaction) -> Event:
    """``data``: the alert as Falco writes it, redacted."""
    data = redaction.named(alert.to_dict())
    return _event(ALERT, playbook, alert, data, data)


def of_outcome(playbook: str, alert: Alert, outcome: Outcome, cluster: str = "") -> Event:
    """``data``: the outcome with ``playbook``, ``alert`` (never its text) and ``cluster``, empty
    where the alert names none. Of an outcome and an alert that are redacted."""
    about = {key: str(getattr(alert, key)) for key in ABOUT}
    data = {"playbook": playbook, "cluster": cluster, "alert": about, **outcome.to_dict()}
    return _event(OUTCOME, playbook, alert, data, {**data, "alert": alert.to_dict()})


def body(event: Mapping[str, Any]) -> bytes:
    """NaN and infinity, which are no JSON, as text."""
    try:
        return json.dumps(event, default=str, allow_nan=False).encode()
    except ValueError:
        finite = json.loads(json.dumps(event, default=str), parse_constant=str)
        return json.dumps(finite).encode()


def _event(
    kind: str, playbook: str, alert: Alert, data: Mapping[str, Any], known_by: Mapping[str, Any]
) -> Event:
    """``known_by``: what makes the same event, which has the same id. All of it, so that who
    writes an alert can give it the id of no other."""
    said = json.dumps([kind, playbook, known_by], sort_keys=True, default=str)
    return {
        "specversion": "1.0",
        "id": f"msg_{hashlib.sha256(said.encode('utf-8', 'replace')).hexdigest()[:32]}",
        "source": f"falco-playbooks/{playbook}",
        "type": kind,
        "subject": slug(alert.rule) or "unnamed",
        "time": str(alert.time),
        "datacontenttype": "application/json",
        "data": data,
    }
