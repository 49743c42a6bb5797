"""``falco-playbook undo``: releases what playbooks contained on one object, or creates it again."""

from __future__ import annotations

import re
from typing import List, Tuple, Type

import click

from playbooks.commands import tell
from playbooks.commands.options import Selection, Session, command, outputs, selects
from playbooks.commands.targets.ledgers import ChosenLedgers, chooses_ledgers
from playbooks.core import catalogue
from playbooks.core.cluster import api_object
from playbooks.core.containment.containment import NODE, POD, Containment, Target
from playbooks.core.containment.undo import RELEASED
from playbooks.core.errors import NotFound
from playbooks.core.notifications.plain_text import plain
from playbooks.core.outcome import Outcome, TargetRef
from playbooks.core.playbook import Playbook
from playbooks.core.ports import Cluster
from playbooks.deployment.removal.client import who
from playbooks.deployment.removal.release import Release, target_ref
from playbooks.deployment.request import by_name
from playbooks.deployment.terminal import print_json

# Names of RBAC may have any character but slash and percent.
_OBJECT = re.compile(r"([a-z]{1,40})/([^/%]{1,1000})")
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,252}", re.ASCII)

# As kubectl takes them, where it takes more than the kind, its plural and its API.
_SHORT = {
    **{"po": "pod", "no": "node", "cm": "configmap", "sa": "serviceaccount", "cj": "cronjob"},
    **{"deploy": "deployment", "ds": "daemonset", "rs": "replicaset", "sts": "statefulset"},
}


def as_typed(target: str) -> str:
    """``pod/web-1`` of ``pods/web-1`` or ``po/web-1``, and ``deployment/web`` of
    ``deployment.apps/web``, which kubectl prints."""
    kind, slash, name = target.partition("/")
    kind = re.sub(r"\..+", "", kind.lower())
    kind = _SHORT.get(kind, kind)
    singular = kind[:-1] if kind.endswith("s") and catalogue.containing(kind[:-1]) else kind
    return f"{singular}{slash}{name}"


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
    target = as_typed(target)
    which.check(*_problems(target, which.playbook), *ledgers.problems(), required=False)
    kind, _, name = target.partition("/")
    namespace = (
        "" if is_cluster_wide(kind) else which.namespace or session.cluster.current_namespace()
    )
    about = target_ref(kind, name, namespace)
    by = by or who(session.cluster)
    client = session.client()
    found, marked = _contained_by(which.playbook, about, client.cluster)
    # Before its ledger is looked for: a target that is not there has none.
    if not _removes(found[0]):
        _read(found[0], about, client.cluster)
    known = ledgers.of(session, which, found, namespace, first=not marked)
    releases = [
        Release(session.cluster, client, _containment(each), about, known[each.name], each.name, by)
        for each in found
        if each.name in known
    ]
    return max(_run(each, force, output == "json") for each in releases)


def is_cluster_wide(kind: str) -> bool:
    found = api_object.kind_of(kind)
    return found.cluster_wide if found else kind == NODE


def _removes(playbook: Playbook) -> bool:
    """Whether its targets are gone, and none of them can be read."""
    return _containment(playbook).REMOVES


def _containment(playbook: Playbook) -> Type[Containment]:
    found = playbook.reaction.CONTAINMENT
    assert found is not None
    return found


def _problems(target: str, playbook: str) -> List[str]:
    kind, _, name = target.partition("/")
    usable = _OBJECT.fullmatch(target) and (api_object.kind_of(kind) or _NAME.fullmatch(name))
    if not usable or f"{kind}/NAME" not in _typed():
        return [f"{target!r} cannot be undone, expected {' or '.join(_typed())}"]
    known = [each.name for each in catalogue.containing(kind)]
    if playbook in ("", *known):
        return []
    others = f"{' or '.join(known)} for a {kind}"
    if playbook not in catalogue.names():
        how = "expected its file after -p, its package installed, or"
        return [f"there is no playbook {playbook} here, {how} {others}"]
    return [f"-p is {playbook!r}, expected {others}"]


def _typed() -> List[str]:
    """What can be undone, as people type it: the most common first."""
    kinds = {each for one in catalogue.containing() for each in _containment(one).KINDS}
    ordered = sorted(kinds, key=lambda each: (each not in (POD, NODE), each != POD, each))
    return [f"{each}/NAME" for each in ordered]


def _contained_by(
    playbook: str, target: TargetRef, cluster: Cluster
) -> Tuple[List[Playbook], bool]:
    """The one that was typed, or all that left something on the target; or, and False, all that may
    have."""
    if playbook:
        return [by_name.load(playbook)], True
    known = catalogue.containing(target.kind.lower())
    gone = [each for each in known if _removes(each)]
    known = [each for each in known if each not in gone]
    if gone and not (known and _is_there(known[0], target, cluster)):
        return gone, True
    if len(known) == 1:
        return known, True

    def left(each: Playbook) -> bool:
        containment, read = _read(each, target, cluster)
        return containment.of(read, cluster, read.annotations).there

    marked = [each for each in known if left(each)]
    return marked or known, bool(marked)


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
    containment, kind = _containment(playbook), target.kind.lower()
    return containment, containment.read(cluster, kind, target.name, target.namespace)


def _run(release: Release, force: bool, as_json: bool) -> int:
    """The exit code. Raises a PlaybookError."""
    until = release.client.left_alone_until()

    def told(outcome: Outcome) -> None:
        if as_json:
            print_json(outcome.to_dict())
        else:
            print(plain(outcome.message), flush=True)

    outcome, problems = release.run(told, force=force)
    tell("warning", problems)
    if outcome.reason == "undone" and release.ledgers:
        kept = ", ".join("/".join(each.place) for each in release.ledgers)
        playbooks = " and ".join(dict.fromkeys(each.playbook for each in release.ledgers))
        said = f"{playbooks} leaves it alone until {until}, by {release.by}"
        tell("", [f"{said} (ledger {kept})"])
    return 0 if outcome.reason in RELEASED else 1
