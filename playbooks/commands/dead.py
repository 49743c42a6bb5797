"""``falco-playbook dead``: lists a playbook's dead letters, redelivers them or drops them."""

from __future__ import annotations

import base64
from typing import Any, Dict, List, Mapping, Sequence, Tuple

import click

from playbooks.commands import tell
from playbooks.commands.options import Selection, Session, command, outputs, selects
from playbooks.core.alert import Alert
from playbooks.core.errors import InvalidAlert
from playbooks.core.notifications.plain_text import plain
from playbooks.core.redaction.redaction import Redaction
from playbooks.deployment.removal.client import who
from playbooks.deployment.terminal import print_json, show_table, without_fraction
from playbooks.deployment.workers import in_pod
from playbooks.deployment.workers.deployed_function import DeployedFunction
from playbooks.engines.worker.nats.delivery import number_of
from playbooks.engines.worker.operator.protocol import DEAD_LETTERS, DROP, REDELIVER

COLUMNS = ("TIME", "RULE", "PRIORITY", "TARGET", "REASON", "DELIVERIES", "ID")


@command(
    "dead -p delete -n responders",
    "dead -p delete --redeliver 17 18",
    "dead -p delete --redeliver --all",
    "dead -p delete --drop 17",
    "dead -p delete -o json | jq '.[] | select(.reason == \"invalid-alert\")'",
)
@selects
@outputs("text", "json")
@click.option(
    "--redeliver",
    is_flag=True,
    help="Send the dead letters with these IDs, or --all, to the worker again.",
)
@click.option(
    "--drop",
    is_flag=True,
    help="Delete the dead letters with these IDs, or --all. The worker's log says who did.",
)
@click.option(
    "--raw",
    is_flag=True,
    help="Show the whole alert, with passwords and tokens that may stand in it: in -o json, and"
    " with --drop in the worker's log.",
)
@click.option("--all", "everything", is_flag=True, help="All dead letters, instead of IDs.")
@click.argument("ids", metavar="[ID]...", nargs=-1)
def dead(
    session: Session,
    which: Selection,
    output: str,
    redeliver: bool,
    drop: bool,
    raw: bool,
    everything: bool,
    ids: Sequence[str],
) -> int:
    """List dead letters, redeliver them or drop them.

    A dead letter is an alert that a guard holds for a person, such as while its playbook was
    paused, or that the playbook tried to answer and could not. The column ID has the numbers that
    --redeliver and --drop take, and so has the worker's log, as dead_letter_id.
    """
    which.check(*_problems(redeliver, drop, everything, ids))
    deployed = session.find(which)
    as_json = output == "json"
    if not redeliver and not drop:
        return _list(deployed, as_json, raw)
    words = [REDELIVER] if redeliver else [DROP, *(["--raw"] if raw else [])]
    return _settle(deployed, words, sorted({int(text) for text in ids}), as_json)


def _problems(redeliver: bool, drop: bool, everything: bool, ids: Sequence[str]) -> List[str]:
    if redeliver and drop:
        return ["--redeliver is not allowed with --drop"]
    given = "--all" if everything else " ".join(ids)
    if not redeliver and not drop:
        return [f"{given}: expected --redeliver or --drop with it"] if given else []
    option = "--drop" if drop else "--redeliver"
    if everything and ids:
        return [f"--all is not allowed with IDs ({' '.join(ids)})"]
    if not given:
        return [f"{option} is given alone, expected IDs as 'dead' lists them, or --all"]
    return [
        f"{option} {text!r} is no ID, expected a number from the column ID of 'dead'"
        for text in ids
        if not number_of(text)
    ]


def _list(deployed: DeployedFunction, as_json: bool, raw: bool) -> int:
    lines = in_pod.run(deployed, DEAD_LETTERS, "--uid", deployed.uid).whole()
    letters = [dead_letter(line, raw=raw) for line in lines]
    if as_json:
        print_json(letters)
    elif letters:
        show_table(COLUMNS, [row(letter) for letter in letters])
    else:
        tell("", [f"there are no dead letters of {deployed}"])
    return 0


def _settle(
    deployed: DeployedFunction, asked: Sequence[str], ids: Sequence[int], as_json: bool
) -> int:
    """1 where one of them is kept."""
    words = [*asked, "--uid", deployed.uid, "--by", who(deployed.cluster)]
    words += ["--ids", *map(str, ids)] if ids else []
    answer = in_pod.run(deployed, *words)
    if as_json:
        print_json([dict(line) for line in answer.lines])
    else:
        for line in answer.lines:
            print(_said(line))
    if not answer.whole():
        tell("", [f"there are no dead letters of {deployed}"])
    return int(any(line["status"] == "kept" for line in answer.lines))


def _said(line: Mapping[str, Any]) -> str:
    """Such as ``redelivered  17 as FALCO_INBOX:4``."""
    more = f" as {line['as']}" if "as" in line else f": {line['why']}"
    return plain(f"{line['status']:<13}{line['id']}{more}")


def dead_letter(line: Mapping[str, Any], *, raw: bool = False) -> Dict[str, Any]:
    """Read from a line of the worker's. The keys are those of ``-o json``.

    ``count``: of the alerts about this target that it stands for; ``first`` and ``last``: when NATS
    got the first and the last. Where the body is no alert, time, rule, priority and target are
    null. ``stored``: when NATS got the alert; ``given_up``: when the worker wrote the dead letter.
    ``own``: of the Function that is there now, and not of an earlier one of its name, or of another
    cluster's. ``cut``: empty, or how long the body was before it was cut to fit. ``body``:
    redacted, unless it is asked for ``raw``; then ``body_base64`` where it is no UTF-8.
    """
    headers: Mapping[str, str] = line["headers"]
    body = base64.b64decode(line["body"])

    def header(name: str) -> str:
        return str(headers.get(f"Falco-{name}", ""))

    return {
        "id": line["id"],
        **_facts(body),
        "reason": header("Reason"),
        "message": header("Message"),
        "deliveries": number_of(header("Deliveries")),
        "count": number_of(header("Count")) or 1,
        "first": header("First") or header("Stored"),
        "last": header("Last") or header("Stored"),
        "stored": header("Stored"),
        "given_up": line["stored"],
        "origin": header("Origin"),
        "subject": header("Subject"),
        "playbook": header("Playbook"),
        "function_uid": header("Function-Uid"),
        "own": line["own"],
        "cut": header("Cut"),
        "trace_id": header("Trace-Id"),
        **(_text(body) if raw else {"body": Redaction().body(body)}),
    }


def _facts(body: bytes) -> Dict[str, Any]:
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
    """What the alert points at, in the words of an outcome. It is not proven."""
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


def row(letter: Mapping[str, Any]) -> Tuple[List[Any], List[str]]:
    """Its cells by COLUMNS, and below them why. The time is the alert's; where there is no alert,
    when NATS got it."""
    time = letter["time"] or letter["stored"] or letter["given_up"]
    facts = [letter[key] for key in ("rule", "priority", "target", "reason")]
    return [without_fraction(time), *facts, letter["deliveries"], letter["id"]], _notes(letter)


def _notes(letter: Mapping[str, Any]) -> List[str]:
    notes = [letter["message"]] if letter["message"] else []
    if letter["count"] > 1:
        times = [without_fraction(letter[key]) for key in ("first", "last")]
        notes.append(f"{letter['count']} alerts, from {times[0]} to {times[1]}; this is the newest")
    if letter["cut"]:
        notes.append(f"its {letter['cut']} did not fit and were cut: it cannot be redelivered")
    if not letter["own"]:
        notes.append(
            "of an earlier Function of this name, or of another cluster's: redelivered only by its"
            " ID"
        )
    return notes
