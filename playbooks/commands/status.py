"""``falco-playbook status`` and ``list``: the deployed playbooks and what state they are in."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import click

from playbooks.commands import in_pod, tell
from playbooks.commands.dead import without_fraction
from playbooks.commands.deployed import DeployedFunction, environment_of, find, is_worker, topics
from playbooks.commands.options import Selection, Session, command, outputs, selects
from playbooks.commands.pause import paused_since
from playbooks.commands.targets.ledgers import ledger_of_ours
from playbooks.core.cluster.manifest import Manifest, reference
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.errors import PlaybookError
from playbooks.core.notifications import kinds
from playbooks.core.notifications.plain_text import plain
from playbooks.core.outcome import Outcome
from playbooks.core.playbook import Playbook
from playbooks.deployment.apply import preflight
from playbooks.deployment.errors import DeploymentError
from playbooks.deployment.manifests import ledger as manifests
from playbooks.deployment.request import catalogue
from playbooks.deployment.terminal import Row, show_table
from playbooks.engines.worker.operator.protocol import DEAD_LETTERS, HISTORY

COLUMNS = ("NAMESPACE", "NAME", "PLAYBOOK", "READY", "TOPICS", "PAUSED", "BUDGET USED UP")

# Hours of which the last action is looked for.
HOURS = 24

Document = Dict[str, Any]

_all_namespaces = click.option(
    "-A", "--all-namespaces", is_flag=True, help="The playbooks of all namespaces."
)


@command("list", "list -A", "list -A -o json", name="list")
@selects
@outputs("text", "json")
@_all_namespaces
def listing(session: Session, which: Selection, output: str, all_namespaces: bool) -> int:
    """List the deployed playbooks, in a table.

    Without -p and -N it lists all of the namespace. PAUSED has who paused it, BUDGET USED UP the
    namespaces in which it does not act until it is reset.
    """
    found = [_described(session, each) for each in _functions(session, which, all_namespaces)]
    if output == "json":
        print(json.dumps(found, indent=2))
    elif found:
        show_table(COLUMNS, [_row(document) for document in found])
    return 0


@command("status", "status -p delete -n responders", "status -A -o json")
@selects
@outputs("text", "json")
@_all_namespaces
def status(session: Session, which: Selection, output: str, all_namespaces: bool) -> int:
    """Show the state of deployed playbooks.

    It shows settings, pauses, used up budgets, contained objects, dead letters and the last action
    within 24 hours. Without -p and -N it shows all playbooks of the namespace.
    """
    documents = []
    for function in _functions(session, which, all_namespaces):
        document = {**_described(session, function), **_of_worker(session.cluster, function)}
        document["contained"] = _contained(session, document["playbook"])
        documents.append(document)
        if output != "json":
            print("\n" * (len(documents) > 1) + _shown(document), flush=True)
    if output == "json":
        print(json.dumps(documents, indent=2))
    return 0


def _functions(session: Session, which: Selection, all_namespaces: bool) -> List[Manifest]:
    """Raises DeploymentError where the one that is wanted is not there."""
    both = all_namespaces and which.namespace is not None
    which.check(*(["-A is not allowed with -n"] if both else []), required=False)
    namespace = "" if all_namespaces else session.namespace(which)
    preflight.check_cluster(session.cluster)
    found = session.cluster.list(("functions.kubeless.io",), namespace=namespace)
    wanted = [f for f in found if which.function in ("", f["metadata"]["name"])]
    where = f"in namespace {namespace}" if namespace else "in this cluster"
    if which.function and not wanted:
        raise DeploymentError(f"there is no Function {which.function} {where}")
    if not wanted:
        tell("", [f"there are no playbooks {where}"])
    return sorted(wanted, key=lambda f: (f["metadata"]["namespace"], f["metadata"]["name"]))


def _described(session: Session, function: Manifest) -> Document:
    """What the API server knows of it. ``paused`` and ``tripped`` are those of the ledger, and
    ``ledger_error`` why it was not read. ``settings``: those that differ from their defaults."""
    namespace, name = function["metadata"]["namespace"], function["metadata"]["name"]
    found = session.cluster.get([reference("apps/v1", "Deployment", name, namespace)])
    deployment = found[0] if found else {}
    playbook = _playbook(function)
    document: Document = {
        "namespace": namespace,
        "name": name,
        "playbook": (function.get("spec") or {}).get("handler", "").partition(".")[0],
        "engine": "kubernetes" if is_worker(deployment) else "kubeless",
        "ready": (deployment.get("status") or {}).get("readyReplicas") or 0,
        "replicas": (deployment.get("spec") or {}).get("replicas", 1 if deployment else 0),
        "topics": list(topics(session.cluster, namespace, name)),
        "settings": _changed(playbook, environment_of(function), name) if playbook else {},
        "paused": None,
        "tripped": {},
        "ledger_error": "",
    }
    if playbook and playbook.acts:
        try:
            book = ledger_of_ours(session.cluster, function)
            document.update(paused=book.paused, tripped=book.tripped)
        except PlaybookError as error:
            document["ledger_error"] = str(error)
    return document


def _playbook(function: Manifest) -> Optional[Playbook]:
    """None where it is none of this version's."""
    name = (function.get("spec") or {}).get("handler", "").partition(".")[0]
    return catalogue.load(name) if name in catalogue.names() else None


def _changed(playbook: Playbook, environment: Mapping[str, str], function: str) -> Dict[str, str]:
    return {
        setting.name: environment[setting.name]
        for setting in playbook.settings
        if not setting.secret
        and environment.get(setting.name, setting.default) != setting.default
        # That of every Function, unless a person gave another.
        and environment[setting.name] != manifests.name(function)
    }


def _of_worker(cluster: ClusterObjects, function: Manifest) -> Document:
    """What only a worker can read. ``dead_letters``: how many of each reason, None where
    ``worker_error`` says why they were not read."""
    document: Document = {"dead_letters": None, "last_action": None, "worker_error": ""}
    try:
        deployed = find(cluster, function["metadata"]["namespace"], function["metadata"]["name"])
        letters = _lines(cluster, deployed, DEAD_LETTERS)
        reasons = (str((each.get("headers") or {}).get("Falco-Reason", "")) for each in letters)
        document["dead_letters"] = dict(Counter(reasons).most_common())
        since = ("--since", str(HOURS * 3600))
        actions = [
            each
            for each in _lines(cluster, deployed, HISTORY, *since)
            if kinds.kind(Outcome.of_dict(each)) == kinds.ACTED
        ]
        document["last_action"] = actions[-1] if actions else None
    except PlaybookError as error:
        document["worker_error"] = str(error)
    return document


def _lines(
    cluster: ClusterObjects, deployed: DeployedFunction, verb: str, *words: str
) -> Sequence[Document]:
    answer = in_pod.run(cluster, deployed, verb, "--uid", deployed.uid, *words)
    if answer.why:
        raise DeploymentError(answer.why)
    return answer.lines


def _contained(session: Session, name: str) -> List[Dict[str, str]]:
    """The objects that the playbook contains in the whole cluster, and when that ends."""
    if name not in catalogue.names():
        return []
    containment = catalogue.load(name).reaction.CONTAINMENT
    if containment is None:
        return []
    cluster = session.reach().cluster
    found = (
        containment.of(each, cluster, each.annotations) for each in containment.listed(cluster, ())
    )
    return [
        {"object": str(each.target), "until": str(each.until or "")} for each in found if each.there
    ]


def _row(document: Mapping[str, Any]) -> Row:
    paused = document["paused"]
    unknown = document["ledger_error"]
    cells = (
        document["namespace"],
        document["name"],
        document["playbook"],
        _ready(document),
        ",".join(document["topics"]),
        f"by {paused.get('by', '')}" if paused else "",
        ",".join(sorted(document["tripped"])),
    )
    return cells, [f"its pauses and budgets are unknown: {unknown}"] if unknown else []


def _ready(document: Mapping[str, Any]) -> str:
    return f"{document['ready']}/{document['replicas']}"


def _shown(document: Mapping[str, Any]) -> str:
    title = f"{document['namespace']}/{document['name']} ({document['playbook']})"
    fields = [f"    {f'{name}:':<16}{plain(value)}" for name, value in _fields(document)]
    return "\n".join([title, *fields])


def _fields(document: Mapping[str, Any]) -> Iterator[Tuple[str, str]]:
    yield "engine", document["engine"]
    yield "ready", _ready(document)
    yield "topics", ", ".join(document["topics"]) or "none"
    yield "settings", ", ".join(f"{k}={v}" for k, v in document["settings"].items()) or "defaults"
    if document["ledger_error"]:
        yield "ledger", document["ledger_error"]
    else:
        yield "paused", paused_since(document["paused"]) if document["paused"] else "no"
        tripped = document["tripped"].items()
        used_up = ", ".join(f"{place} (since {t.get('at', '')})" for place, t in sorted(tripped))
        yield "budget used up", used_up or "no"
    for each in document["contained"]:
        yield "contained", each["object"] + (f" until {each['until']}" if each["until"] else "")
    if document["worker_error"]:
        yield "worker", document["worker_error"].replace("\n", " ")
        return
    letters = document["dead_letters"]
    reasons = ", ".join(f"{count} {reason}" for reason, count in letters.items())
    yield "dead letters", f"{sum(letters.values())} ({reasons})" if letters else "0"
    last = document["last_action"]
    said = f"{without_fraction(last.get('recorded', ''))} {last.get('message', '')}" if last else ""
    yield "last action", said or f"none within {HOURS} hours"
