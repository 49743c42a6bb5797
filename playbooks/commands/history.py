"""``falco-playbook history``: what a playbook did, from its stream or from the cluster's Events."""

from __future__ import annotations

import time
from typing import Any, Dict, Iterable, List, Mapping, Optional, Tuple

import click

from playbooks.commands import tell
from playbooks.commands.options import TIME_BACK, Selection, Session, command, outputs, selects
from playbooks.commands.targets.deployed import find
from playbooks.core.cluster.manifest import reference
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.errors import PlaybookError, StillRunning
from playbooks.core.instant import NANOSECONDS, Instant
from playbooks.core.notifications import event, kinds
from playbooks.core.outcome import ACCEPTED, Outcome
from playbooks.deployment.errors import DeploymentError
from playbooks.deployment.manifests import record
from playbooks.deployment.terminal import Row, print_json, show_table, without_fraction
from playbooks.deployment.workers import in_pod
from playbooks.deployment.workers.deployed_function import DeployedFunction

COLUMNS = ("TIME", "WHAT", "TARGET", "REASON", "RULE", "UNDONE")

SKIPPED = "skipped"

Entry = Dict[str, Any]

# What the outcome of a later alert says of an object whose deletion was accepted.
_VERIFIED = {kinds.VERIFIED: True, kinds.NOT_VERIFIED: False}

_SEEN = {"pod-gone": True, StillRunning.reason: False}

# Objects whose deletion was accepted that are looked up.
MOST_SEEN = 200


@command("history -p delete", "history -p delete --since 7d --why", "history -p taint -o json")
@selects
@outputs("text", "table", "json")
@click.option(
    "--since",
    type=TIME_BACK,
    metavar="TIME",
    default="24h",
    show_default=True,
    help="How far to look back, such as 90m or 7d.",
)
@click.option("--skipped", is_flag=True, help="Also list the alerts that were skipped.")
@click.option("--why", is_flag=True, help="Also show the checks that led to each entry.")
@click.option(
    "-A",
    "--all-namespaces",
    is_flag=True,
    help="Without a stream, read the Events of all namespaces. Default: those in the namespace of"
    " the playbook.",
)
def history(
    session: Session,
    which: Selection,
    output: str,
    since: float,
    skipped: bool,
    why: bool,
    all_namespaces: bool,
) -> int:
    """Show what a playbook did, the newest first.

    Each line names the alert's rule, and who undid the action. A deletion is accepted until the
    pod was seen to be gone, or to run on. It reads the stream
    FALCO_OUTCOMES. Without NATS JetStream it reads the Events of the cluster. -o json lists the
    oldest first, and always says why.
    """
    which.check()
    namespace = session.namespace(which)
    deployed, problem = _worker(session.cluster, which.function, namespace)
    found = None
    named = f"{namespace}/{which.function}"
    none = f"{named} has no record of this time"
    if deployed:
        found, problem = _from_stream(deployed, since)
    if found is None:
        place = "" if all_namespaces else namespace
        where = f" in namespace {place} (-A: in all)" if place else ""
        kept = "which are kept for an hour by default"
        tell("", [f"{problem}: this is from the cluster's Events{where}, {kept}"])
        if place:
            none = f"there is no Event of {named} in namespace {place}: -A looks in all"
        found = _from_events(session.cluster, which.function, namespace, since, place)
    entries = _seen(session.cluster, marked(found))
    shown = [entry for entry in entries if skipped or entry["what"] != SKIPPED]
    if output == "json":
        print_json(shown)
    elif shown:
        show_table(COLUMNS, [_row(entry, why=why) for entry in reversed(shown)])
    else:
        tell("", [none])
    return 0


def _worker(
    cluster: ClusterObjects, function: str, namespace: str
) -> Tuple[Optional[DeployedFunction], str]:
    """What is deployed, or None and why it cannot be asked. Raises DeploymentError."""
    try:
        return find(cluster, function, namespace), ""
    except PlaybookError as error:
        if not record.find(cluster, function, namespace):
            raise
        if isinstance(error, DeploymentError):
            return None, f"{namespace}/{function} has no worker, and so no stream"
        return None, f"the worker of {namespace}/{function} cannot be asked: {error}"


def _from_stream(deployed: DeployedFunction, since: float) -> Tuple[Optional[List[Entry]], str]:
    """None, and why, where there is no stream, or no worker to read it."""
    try:
        answer = in_pod.history(deployed, since)
    except PlaybookError as error:
        return None, str(error)
    if answer.why:
        return None, answer.why
    return [_of_line(line) for line in answer.lines], ""


def _from_events(
    cluster: ClusterObjects, function: str, namespace: str, since: float, place: str
) -> List[Entry]:
    """``place``: where the Events are; empty for all namespaces."""
    selector = f"{event.FUNCTION}={function},{event.HOME}={namespace}"
    items = cluster.list(("events.events.k8s.io",), namespace=place, selector=selector)
    oldest = Instant(time.time_ns() - int(since) * NANOSECONDS)
    found = sorted((_of_event(item) for item in items), key=lambda entry: str(entry["time"]))
    return [entry for entry in found if _after(entry["time"], oldest)]


def _after(moment: str, oldest: Instant) -> bool:
    """A time that cannot be read counts as recent."""
    try:
        return not Instant.parse(moment) < oldest
    except ValueError:
        return True


def _of_line(line: Mapping[str, Any]) -> Entry:
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
        "trace_id": outcome.trace_id,
        "times": 1,
    }


def _of_event(item: Mapping[str, Any]) -> Entry:
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
        "reason": event.code(item.get("reason", "")),
        "message": item.get("note", ""),
        "why": [],
        "alert": {"rule": rule, "time": said.get(event.TIME, "")} if rule else None,
        "by": said.get(event.BY, ""),
        "trace_id": said.get(event.TRACE, ""),
        "times": series.get("count", 1),
    }


def marked(entries: Iterable[Entry]) -> List[Entry]:
    """The same, oldest first; ``undone`` of an action says when and by whom it was undone, ``done``
    whether it is over and done: of a deletion that was accepted None until the pod was seen to be
    gone (true) or to act on past its deadline (false); ``verified`` whether the worker saw some
    time later that it worked, None where it did not look."""
    found: List[Entry] = []
    standing: Dict[str, Entry] = {}
    for entry in entries:
        entry = {**entry, "undone": None, "done": None, "verified": None}
        found.append(entry)
        before = standing.get(entry["target"])
        if before is not None and before["done"] is None and entry["reason"] in _SEEN:
            before["done"] = _SEEN[entry["reason"]]
        if entry["what"] in _VERIFIED and before is not None:
            before["verified"] = _VERIFIED[entry["what"]]
            before["done"] = before["verified"] or before["done"]
        if entry["what"] == kinds.ACTED:
            entry["done"] = None if entry["reason"] == ACCEPTED else True
            standing[entry["target"]] = entry
        elif entry["what"] == kinds.UNDONE and entry["target"] in standing:
            undone = standing.pop(entry["target"])
            undone["undone"] = {"time": entry["time"], "by": entry["by"]}
    return found


def _seen(cluster: ClusterObjects, entries: List[Entry]) -> List[Entry]:
    """With what the cluster has of the newest objects whose deletion was accepted, where that may
    be read."""
    open_ = [e for e in entries if e["what"] == kinds.ACTED and e["done"] is None][-MOST_SEEN:]
    wanted = {}
    for entry in open_:
        kind, _, place = entry["target"].partition(" ")
        namespace, _, name = place.partition("/")
        if kind == "pod" and name and entry["uid"]:
            wanted[namespace, name] = reference("v1", "Pod", name, namespace)
    try:
        there = {each["metadata"]["uid"] for each in cluster.get(list(wanted.values()))}
    except PlaybookError:
        return entries
    for entry in open_:
        if entry["uid"] and entry["uid"] not in there:
            entry["done"] = True
    return entries


def _what(entry: Mapping[str, Any]) -> str:
    """What is accepted is not done."""
    if entry["what"] != kinds.ACTED or entry["reason"] != ACCEPTED:
        return str(entry["what"])
    return {None: "accepted", True: "accepted, gone", False: "accepted, still running"}[
        entry["done"]
    ]


def _row(entry: Mapping[str, Any], *, why: bool) -> Row:
    """Its cells by COLUMNS, and below them ``why``. Times are those of the record."""
    times = f" ({entry['times']} times)" if entry["times"] > 1 else ""
    undone = entry["undone"]
    cells = (
        without_fraction(entry["time"]),
        _what(entry) + times,
        entry["target"],
        entry["reason"],
        (entry["alert"] or {}).get("rule", ""),
        f"{without_fraction(undone['time'])} by {undone['by'] or 'unknown'}" if undone else "",
    )
    return cells, [said for said in entry["why"] or (entry["message"],) if said] if why else []
