"""What only the worker of a playbook can read."""

from __future__ import annotations

from collections import Counter
from typing import Any, Dict, Mapping, Sequence

from playbooks.commands.state.document import Document
from playbooks.commands.targets import in_pod
from playbooks.commands.targets.deployed import find
from playbooks.core.cluster.manifest import Manifest
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.errors import PlaybookError
from playbooks.core.guards import ORDER
from playbooks.core.notifications import kinds
from playbooks.core.outcome import Outcome
from playbooks.engines.worker.operator.protocol import DEAD_LETTERS, HISTORY, STATE

# Hours of which the last action is looked for.
HOURS = 24

# Of dead letters from before they said so themselves: what guards hold alerts for.
_HELD = frozenset(reason for guard in ORDER for reason in guard.REASONS)


def asked(cluster: ClusterObjects, function: Manifest) -> Document:
    """``held`` and ``dead_letters``: how many of each reason, those that wait for a person's
    decision and those that were given up. ``version`` and ``nats``: as the worker says. What could
    not be read is None, and ``worker_error`` says why."""
    document: Document = {
        **dict.fromkeys(("version", "nats", "held", "dead_letters", "last_action")),
        "worker_error": "",
    }
    try:
        deployed = find(cluster, function["metadata"]["namespace"], function["metadata"]["name"])
        said: Document = dict(*in_pod.lines(cluster, deployed, STATE)[-1:])
        document["version"] = said.get("version")
        document["nats"] = _nats(said)
        letters = in_pod.lines(cluster, deployed, DEAD_LETTERS, "--uid", deployed.uid)
        document["held"] = _reasons([each for each in letters if _held(each)])
        document["dead_letters"] = _reasons([each for each in letters if not _held(each)])
        since = ("--uid", deployed.uid, "--since", str(HOURS * 3600))
        actions = [
            each
            for each in in_pod.lines(cluster, deployed, HISTORY, *since)
            if kinds.kind(Outcome.of_dict(each)) == kinds.ACTED
        ]
        document["last_action"] = actions[-1] if actions else None
    except PlaybookError as error:
        document["worker_error"] = str(error)
    return document


def _nats(said: Mapping[str, Any]) -> Dict[str, Any]:
    """``stream`` and ``messages`` of the stream that keeps alerts; ``error``: what is wrong with
    NATS or the stream, or empty."""
    stream: Mapping[str, Any] = said.get("stream") or {}
    wrong = said.get("why") or next(
        (stream[key] for key in ("missing", "unknown", "why") if key in stream), ""
    )
    return {
        "servers": str(said.get("servers", "")),
        "stream": stream.get("name", ""),
        "messages": stream.get("messages"),
        "error": str(wrong),
    }


def _held(letter: Mapping[str, Any]) -> bool:
    headers = letter.get("headers") or {}
    return headers.get("Falco-Held") == "true" or headers.get("Falco-Reason") in _HELD


def _reasons(letters: Sequence[Mapping[str, Any]]) -> Dict[str, int]:
    reasons = (str((each.get("headers") or {}).get("Falco-Reason", "")) for each in letters)
    return dict(Counter(reasons).most_common())
