"""``falco-playbook undo``: releases what playbooks contained on one object, or creates it again."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import List, Sequence, Tuple, Type

import click

from playbooks.commands import tell
from playbooks.commands.options import Selection, Session, command, outputs, selects
from playbooks.commands.targets.ledgers import ChosenLedgers, chooses_ledgers
from playbooks.core import catalogue
from playbooks.core.cluster import api_object
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.cluster.workload import kind_of
from playbooks.core.containment.containment import NODE, POD, Containment, Target
from playbooks.core.containment.undo import RELEASED
from playbooks.core.errors import NotFound
from playbooks.core.ledger.limits import function_of
from playbooks.core.notifications.plain_text import plain
from playbooks.core.outcome import Outcome, TargetRef
from playbooks.core.playbook import Playbook
from playbooks.core.ports import Cluster
from playbooks.deployment.removal.client import Client, Place, who
from playbooks.deployment.removal.on_record import put_on_record
from playbooks.deployment.request import by_name
from playbooks.deployment.terminal import print_json

# Names of RBAC may have any character but slash and percent.
_OBJECT = re.compile(r"([a-z]{1,40})/([^/%]{1,1000})")
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,252}", re.ASCII)


def _details() -> str:
    return f"OBJECT is one of {', '.join(_typed())}; -n names its namespace, where it has one."


@command(
    "undo pod/web-1 -n shop -A",
    "undo node/worker-3 -A",
    "undo node/worker-3 --ledger off",
    details=_details,
)
@click.argument("target", metavar="OBJECT")
@selects
@outputs("text", "json")
@click.option("--force", is_flag=True, help="Also undo what somebody changed since.")
@click.option(
    "--by",
    metavar="NAME",
    default="",
    help="Who undoes it, for the record. Default: your user in the cluster.",
)
@chooses_ledgers("that exempts the object for 30 minutes")
def undo(
    session: Session,
    which: Selection,
    output: str,
    target: str,
    force: bool,
    by: str,
    ledgers: ChosenLedgers,
) -> int:
    """Undo what playbooks did to one object.

    It is released, or created again where a playbook deleted it. The playbook leaves it alone for
    the next 30 minutes.
    """
    which.check(*_problems(target, which.playbook), *ledgers.problems(), required=False)
    kind, _, name = target.partition("/")
    namespace = (
        "" if _is_cluster_wide(kind) else which.namespace or session.cluster.current_namespace()
    )
    target_ref = _target_ref(kind, name, namespace)
    by = by or who(session.cluster)
    client = session.client()
    found = _contained_by(which.playbook, target_ref, client.cluster)
    # Before its ledger is looked for: a target that is not there has none.
    if not _removes(found[0]):
        _read(found[0], target_ref, client.cluster)
    undoings = [
        _Undoing(each, target_ref, by, client, ledgers.places(session, which, each.name))
        for each in found
    ]
    return max(each.run(session.cluster, force, output == "json") for each in undoings)


def _is_cluster_wide(kind: str) -> bool:
    found = api_object.kind_of(kind)
    return found.cluster_wide if found else kind == NODE


def _target_ref(kind: str, name: str, namespace: str) -> TargetRef:
    found = api_object.kind_of(kind)
    named, api = (found.kind, found.api) if found else (kind_of(kind), "")
    return TargetRef("undo", named, name, namespace, "", api)


def _removes(playbook: Playbook) -> bool:
    """Whether its targets are gone, and none of them can be read."""
    containment = playbook.reaction.CONTAINMENT
    return containment is not None and containment.REMOVES


def _problems(target: str, playbook: str) -> List[str]:
    kind, _, name = target.partition("/")
    usable = _OBJECT.fullmatch(target) and (api_object.kind_of(kind) or _NAME.fullmatch(name))
    if not usable or f"{kind}/NAME" not in _typed():
        return [f"{target!r} cannot be undone, expected {' or '.join(_typed())}"]
    known = [each.name for each in catalogue.containing(kind)]
    if playbook in ("", *known):
        return []
    return [f"-p is {playbook!r}, expected {' or '.join(known)} for a {kind}"]


def _typed() -> List[str]:
    """What can be undone, as people type it: the most common first."""
    kinds = {each for one in catalogue.containing() for each in _kinds(one)}
    ordered = sorted(kinds, key=lambda each: (each not in (POD, NODE), each != POD, each))
    return [f"{each}/NAME" for each in ordered]


def _kinds(playbook: Playbook) -> Tuple[str, ...]:
    containment = playbook.reaction.CONTAINMENT
    return containment.KINDS if containment else ()


def _contained_by(playbook: str, target: TargetRef, cluster: Cluster) -> List[Playbook]:
    """The one that was typed, or all that left something on the target, or else any of them."""
    if playbook:
        return [by_name.load(playbook)]
    known = catalogue.containing(target.kind.lower())
    gone = [each for each in known if _removes(each)]
    known = [each for each in known if each not in gone]
    if gone and not (known and _is_there(known[0], target, cluster)):
        return gone
    if len(known) == 1:
        return known

    def left(each: Playbook) -> bool:
        containment, read = _read(each, target, cluster)
        return containment.of(read, cluster, read.annotations).there

    return [each for each in known if left(each)] or known[:1]


def _is_there(playbook: Playbook, target: TargetRef, cluster: Cluster) -> bool:
    try:
        _read(playbook, target, cluster)
    except NotFound:
        return False
    return True


def _read(
    playbook: Playbook, target: TargetRef, cluster: Cluster
) -> Tuple[Type[Containment], Target]:
    """Raises NotFound."""
    containment = playbook.reaction.CONTAINMENT
    assert containment is not None
    kind = target.kind.lower()
    return containment, containment.read(cluster, kind, target.name, target.namespace)


@dataclass(frozen=True)
class _Undoing:
    """One playbook's containment of one object. ``places``: the playbook's ledgers."""

    playbook: Playbook
    target: TargetRef
    by: str
    client: Client
    places: Sequence[Place]

    def run(self, cluster: ClusterObjects, force: bool, as_json: bool) -> int:
        """The exit code. Raises a PlaybookError."""
        until = self.client.left_alone_until()
        containment = self.playbook.reaction.CONTAINMENT
        assert containment is not None
        asked = self.client.undo(containment, self.places, self.by, force=force)
        outcome = asked.undo(
            self.target.name, namespace=self.target.namespace, kind=self.target.kind.lower()
        )
        if as_json:
            print_json(outcome.to_dict())
        else:
            print(plain(outcome.message), flush=True)
        if outcome.reason == "undone":
            self._put_on_record(cluster, outcome)
        if outcome.reason == "undone" and self.places:
            kept = ", ".join("/".join(place) for place in self.places)
            said = f"{self.playbook.name} leaves it alone until {until}, by {self.by}"
            tell("", [f"{said} (ledger {kept})"])
        return 0 if outcome.reason in RELEASED else 1

    def _put_on_record(self, cluster: ClusterObjects, outcome: Outcome) -> None:
        for namespace, name in self.places:
            problems = put_on_record(
                cluster,
                namespace=namespace,
                function=function_of(name),
                playbook=self.playbook.name,
                target_ref=replace(self.target, uid=outcome.details["uid"]),
                message=f"{outcome.message}; by {self.by}",
                by=self.by,
            )
            tell("warning", [f"not recorded: {problem}" for problem in problems])
