"""One entry of the history, whether it comes from the stream or from an Event."""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Mapping

from playbooks.core.notifications import event, kinds
from playbooks.core.outcome import Outcome

SKIPPED = "skipped"


def of_line(line: Mapping[str, Any]) -> Dict[str, Any]:
    """Read from a message of the stream. The keys are those of ``-o json``."""
    outcome = Outcome.of_dict(line)
    return {
        "time": line.get("recorded", ""),
        "what": kinds.kind(outcome) or str(outcome.status),
        "target": outcome.target,
        "uid": str(outcome.details.get("uid") or ""),
        "reason": outcome.reason,
        "message": outcome.message,
        "why": list(outcome.why),
        "alert": line.get("alert"),
        "by": str(outcome.details.get("by") or ""),
        "times": 1,
    }


def of_event(item: Mapping[str, Any]) -> Dict[str, Any]:
    metadata, regarding = item["metadata"], item.get("regarding") or {}
    said: Mapping[str, str] = metadata.get("annotations") or {}
    series = item.get("series") or {}
    place = "/".join(filter(None, (regarding.get("namespace"), regarding.get("name", ""))))
    rule = said.get(event.RULE, "")
    return {
        "time": series.get("lastObservedTime") or item.get("eventTime") or "",
        "what": said.get(event.STATUS, ""),
        "target": f"{regarding.get('kind', '').lower()} {place}",
        "uid": regarding.get("uid", ""),
        "reason": item.get("reason", ""),
        "message": item.get("note", ""),
        "why": [],
        "alert": {"rule": rule, "time": said.get(event.TIME, "")} if rule else None,
        "by": said.get(event.BY, ""),
        "times": series.get("count", 1),
    }


def marked(entries: Iterable[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """The same, oldest first; ``undone`` of an action says when and by whom it was taken back."""
    found: List[Dict[str, Any]] = []
    standing: Dict[str, Dict[str, Any]] = {}
    for entry in entries:
        entry = {**entry, "undone": None}
        found.append(entry)
        if entry["what"] == kinds.ACTED:
            standing[entry["target"]] = entry
        elif entry["what"] == kinds.UNDONE and entry["target"] in standing:
            taken_back = standing.pop(entry["target"])
            taken_back["undone"] = {"time": entry["time"], "by": entry["by"]}
    return found
