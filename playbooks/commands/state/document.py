"""What the API server, the ledger and the worker know of a deployed playbook. The keys are those of
``-o json``."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union

from playbooks.commands.options import Session
from playbooks.commands.targets.deployed import container_of, find, readiness
from playbooks.core.cluster.manifest import Manifest
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.containment.containment import Containment, Target
from playbooks.core.errors import PlaybookError
from playbooks.core.guards import ORDER
from playbooks.core.guards.filters import acts_in
from playbooks.core.instant import Instant
from playbooks.core.ledger import limits
from playbooks.core.ledger.book import Book
from playbooks.core.ledger.limits import Limits
from playbooks.core.notifications import kinds
from playbooks.core.outcome import Outcome
from playbooks.core.playbook import Playbook
from playbooks.core.settings import read
from playbooks.deployment.errors import DeploymentError
from playbooks.deployment.manifests import record
from playbooks.deployment.manifests.record import environment_of, topics_of
from playbooks.deployment.manifests.worker import is_worker
from playbooks.deployment.removal.client import ledger_of_ours
from playbooks.deployment.removal.contained import ContainedObject, in_book
from playbooks.deployment.request import by_name
from playbooks.deployment.workers import in_pod
from playbooks.deployment.workers.in_pod import WITHIN
from playbooks.engines.worker.operator.protocol import DEAD_LETTERS, STATE
from playbooks.infrastructure.this_pod import SystemClock

Document = Dict[str, Any]

# Hours of which the last action is looked for.
HOURS = 24

# Of dead letters from before they said so themselves: what guards hold alerts for.
_HELD = frozenset(reason for guard in ORDER for reason in guard.REASONS)


@dataclass(frozen=True)
class OfLedger:
    """What is in the ledger of a function. ``book`` None: ``error`` says why it was not read, or it
    needs none."""

    book: Optional[Book] = None
    error: str = ""

    @classmethod
    def of(cls, session: Session, function: Manifest) -> OfLedger:
        playbook = playbook_of(function)
        if playbook is None or not playbook.acts:
            return cls()
        try:
            return cls(ledger_of_ours(session.cluster, function))
        except PlaybookError as error:
            return cls(error=str(error))


def described(session: Session, function: Manifest, ledger: OfLedger) -> Document:
    """``settings``: those that differ from their defaults. ``paused`` and ``tripped`` are those of
    the ledger, ``ledger_error`` says why it was not read. ``budgets``: of each namespace, and of
    ``*`` for all, the actions ``used`` within the window and their ``limit`` (None: off); empty
    where nothing was done. ``left_alone``: the objects that somebody undid, until when and by whom.
    ``ready``, ``replicas`` and ``topics`` are None where only the engine
    knows."""
    namespace, name = function["metadata"]["namespace"], function["metadata"]["name"]
    deployment = session.cluster.find("apps/v1", "Deployment", name, namespace) or {}
    playbook, engine = playbook_of(function), record.engine_of(function)
    unknown = engine and not deployment
    ready, replicas = (None, None) if unknown else readiness(deployment)
    document: Document = {
        "namespace": namespace,
        "name": name,
        "playbook": record.playbook_of(function),
        "engine": engine or ("kubernetes" if is_worker(deployment) else "kubeless"),
        "ready": ready,
        "replicas": replicas,
        "image": str(container_of(deployment, name).get("image", "")),
        "topics": None if engine else list(topics_of(session.cluster, name, namespace)),
        "settings": changed(playbook, environment_of(function), name) if playbook else {},
        "paused": None,
        "tripped": {},
        "budgets": {},
        "left_alone": [],
        "ledger_error": ledger.error,
    }
    book, now = ledger.book, SystemClock().now()
    if playbook and book:
        document.update(paused=book.paused, tripped=book.tripped, left_alone=left_alone(book, now))
        try:
            document["budgets"] = budgets(playbook, environment_of(function), book, now)
        except PlaybookError as error:
            document["ledger_error"] = str(error)
    return document


def playbook_of(function: Manifest) -> Optional[Playbook]:
    """None where it is none of this version's."""
    return by_name.find(record.playbook_of(function))


def contained(session: Session, function: Manifest, ledger: OfLedger) -> Document:
    """The objects that the playbook contains where it acts, and when that ends (empty: a person has
    to end it); None where ``contained_error`` says why they were not listed."""
    try:
        found = _found(session, function, ledger)
    except PlaybookError as error:
        return {"contained": None, "contained_error": str(error)}
    objects = [{"object": str(target), "until": until} for target, until in found]
    return {"contained": objects, "contained_error": ""}


def of_contained(session: Session, function: Manifest) -> List[Document]:
    """A document for each of these. ``kind``: as ``falco-playbook undo`` takes it. Where ``error``
    says why they were not listed, one of no object."""
    metadata = function["metadata"]
    document = {
        **dict.fromkeys(("kind", "namespace", "name", "until"), ""),
        "playbook": record.playbook_of(function),
        "by": f"{metadata['namespace']}/{metadata['name']}",
        "error": "",
    }
    try:
        found = _found(session, function, OfLedger.of(session, function))
    except PlaybookError as error:
        return [{**document, "error": str(error)}]
    return [
        {
            **document,
            **{"kind": each.typed, "namespace": each.namespace, "name": each.name, "until": until},
        }
        for each, until in found
    ]


def _found(session: Session, function: Manifest, ledger: OfLedger) -> List[Tuple[Target, str]]:
    """What it contains, and until when. Raises a PlaybookError."""
    playbook = playbook_of(function)
    containments = [kind for kind, _ in playbook.containments] if playbook else []
    if not containments:
        return []
    places = acts_in(environment_of(function))
    client = session.client()
    found: List[Union[Containment, ContainedObject]] = []
    unlisted = []
    for each in containments:
        listed = each.listed(client.cluster, places)
        if listed is None:
            unlisted.append(each)
        left = (each.of(target, client.cluster, target.annotations) for target in listed or ())
        found += [one for one in left if one.there]
    if unlisted:
        if ledger.book is None:
            raise DeploymentError(ledger.error)
        found += in_book(ledger.book, unlisted, client.cluster)
    # Of a chain, one object may be contained in several ways.
    once = {(str(each.target), str(each.until or "")): each.target for each in found}
    return [(target, until) for (_, until), target in once.items()]


def changed(playbook: Playbook, environment: Mapping[str, str], function: str) -> Dict[str, str]:
    """The settings of a deployed function that differ from their defaults; no secret."""
    return {
        setting.name: environment[setting.name]
        for setting in playbook.settings
        if not setting.secret
        and environment.get(setting.name, setting.default) != setting.default
        # That of every Function, unless a person gave another.
        and environment[setting.name] != limits.ledger_name(function)
    }


def budgets(
    playbook: Playbook, environment: Mapping[str, str], book: Book, now: Instant
) -> Document:
    """Of each namespace, and of ``*`` for all: ``used`` and ``limit``. Raises InvalidSetting where
    the deployed settings are none of this version's."""
    names = {setting.name for setting in playbook.settings}
    declared = [setting for setting in limits.SETTINGS if setting.name in names]
    chosen = Limits.of(read(declared, environment))
    found: Document = {
        place: {"used": used, "limit": chosen.in_namespace}
        for place, used in sorted(book.used(chosen.window, now).items())
    }
    shared = book.shared()
    if shared:
        found["*"] = {"used": shared, "limit": chosen.in_all}
    return found


def left_alone(book: Book, now: Instant) -> List[Dict[str, str]]:
    undone = (each for each in book.undone.values() if now < Instant.parse(each["until"]))
    found = [
        {"object": each.get("what", ""), "until": each["until"], "by": each.get("by", "")}
        for each in undone
    ]
    return sorted(found, key=lambda each: each["object"])


def of_worker(cluster: ClusterObjects, function: Manifest) -> Document:
    """What only its worker can read, which is a stranger's program where the Function is his.

    ``held`` and ``dead_letters``: how many of each reason, those that wait for a person's
    decision and those that were given up. ``version`` and ``nats``: as the worker says. What could
    not be read is None, and ``worker_error`` says why."""
    document: Document = {
        **dict.fromkeys(("version", "nats", "held", "dead_letters", "last_action")),
        "worker_error": "",
    }
    try:
        deployed = find(cluster, function["metadata"]["name"], function["metadata"]["namespace"])
        said: Document = dict(*in_pod.run(deployed, STATE, within=WITHIN).whole()[-1:])
        document["version"] = said.get("version")
        document["nats"] = _nats(said)
        if "why" in said:
            raise DeploymentError("it does not reach NATS")
        words = ("--uid", deployed.uid)
        letters = in_pod.run(deployed, DEAD_LETTERS, *words, within=WITHIN).whole()
        document["held"] = _reasons([each for each in letters if _held(each)])
        document["dead_letters"] = _reasons([each for each in letters if not _held(each)])
        outcomes = in_pod.history(deployed, HOURS * 3600, within=WITHIN).whole()
        actions = [each for each in outcomes if kinds.kind(Outcome.of_dict(each)) == kinds.ACTED]
        document["last_action"] = actions[-1] if actions else None
    except PlaybookError as error:
        document["worker_error"] = str(error)
    return document


def _nats(said: Mapping[str, Any]) -> Dict[str, Any]:
    """``stream`` and ``messages`` of the stream that keeps alerts; ``error``: what is wrong with
    NATS or the stream, or empty."""
    found = said.get("stream")
    stream: Mapping[str, Any] = found if isinstance(found, dict) else {}
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
    return _header(letter, "Falco-Held") == "true" or _header(letter, "Falco-Reason") in _HELD


def _reasons(letters: Sequence[Mapping[str, Any]]) -> Dict[str, int]:
    return dict(Counter(_header(each, "Falco-Reason") for each in letters).most_common())


def _header(letter: Mapping[str, Any], name: str) -> str:
    headers = letter.get("headers")
    return str(headers.get(name, "")) if isinstance(headers, dict) else ""
