"""``falco-playbook undo``: releases what playbooks contained on one object."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import List

from playbooks.commands import tell
from playbooks.commands.cluster import Cluster
from playbooks.commands.command_line import Options
from playbooks.commands.ledger_places import places
from playbooks.commands.person import who
from playbooks.commands.reach import Place, Reach
from playbooks.commands.undoing import put_on_record
from playbooks.core.containment.undo import Undo
from playbooks.core.errors import PlaybookError
from playbooks.core.ledger import ledger
from playbooks.core.ledger.book import after
from playbooks.core.outcome import Outcome, TargetRef
from playbooks.core.playbook import Playbook
from playbooks.core.ports import Cluster as ApiCluster
from playbooks.deployment.errors import DeploymentError
from playbooks.deployment.manifests import ledger as ledger_manifest
from playbooks.deployment.request import catalogue

# Seconds for which the playbook leaves the object alone, so that the next alert does not undo the
# undoing.
LEFT_ALONE = 30 * 60.0

# Reasons for which what was asked for is so now.
_DONE = ("undone", "nothing-to-undo")


def undo(options: Options, kubectl: Cluster, reach: Reach) -> int:
    """The exit code: 1 where something is still as it was. Raises DeploymentError."""
    kind, name = options.target
    namespace = "" if kind == "node" else options.namespace or kubectl.current_namespace()
    target = TargetRef("undo", kind.capitalize(), name, namespace, "")
    try:
        found = _contained_by(options.playbook, target, reach.cluster)
        return max(_undo(each, target, options, kubectl, reach) for each in found)
    except PlaybookError as error:
        raise DeploymentError(str(error)) from error


def _contained_by(playbook: str, target: TargetRef, cluster: ApiCluster) -> List[Playbook]:
    """The one that was typed, or all that left something on the target, or else any of them."""
    if playbook:
        return [catalogue.load(playbook)]
    known = catalogue.containing(target.kind.lower())
    if len(known) == 1:
        return known

    def left(each: Playbook) -> bool:
        containment = each.reaction.CONTAINMENT
        assert containment is not None
        read = containment.read(cluster, target.name, target.namespace)
        return containment.of(read, cluster).there

    return [each for each in known if left(each)] or known[:1]


def _undo(
    playbook: Playbook, target: TargetRef, options: Options, kubectl: Cluster, reach: Reach
) -> int:
    by = options.by or who(kubectl)
    ledgers = places(options, kubectl, playbook.name)
    until = after(reach.clock.now(), LEFT_ALONE)

    def exempt(uid: str, what: str) -> None:
        for place in ledgers:
            store = reach.ledger(place)
            ledger.change(store, lambda book: book.leave_alone(uid, what, by, until))

    containment = playbook.reaction.CONTAINMENT
    assert containment is not None
    asked = Undo(containment, reach.cluster, exempt, force=options.force)
    outcome = asked.undo(target.name, namespace=target.namespace)
    _print(outcome, options.json)
    if outcome.reason == "undone":
        target_ref = replace(target, uid=outcome.details["uid"])
        for place in ledgers:
            _put_on_record(outcome, target_ref, playbook.name, place, kubectl, by)
    if outcome.reason == "undone" and ledgers:
        kept = ", ".join("/".join(place) for place in ledgers)
        tell("", [f"{playbook.name} leaves it alone until {until}, by {by} (ledger {kept})"])
    return 0 if outcome.reason in _DONE else 1


def _put_on_record(
    outcome: Outcome, target_ref: TargetRef, playbook: str, place: Place, kubectl: Cluster, by: str
) -> None:
    """``place``: of the ledger of a function, which says the function."""
    namespace, name = place
    problems = put_on_record(
        kubectl,
        namespace=namespace,
        function=name[: -len(ledger_manifest.name(""))],
        playbook=playbook,
        target_ref=target_ref,
        message=f"{outcome.message}; by {by}",
        by=by,
    )
    tell("warning", [f"the undoing is not on record: {problem}" for problem in problems])


def _print(outcome: Outcome, as_json: bool) -> None:
    print(json.dumps(outcome.to_dict(), indent=2) if as_json else outcome.message, flush=True)
