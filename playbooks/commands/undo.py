"""``falco-playbook undo``: takes back what isolate or taint did to one object."""

from __future__ import annotations

import json
from dataclasses import replace

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
from playbooks.deployment.errors import DeploymentError
from playbooks.deployment.manifests import ledger as ledger_manifest

# Seconds for which the playbook leaves the object alone, so that the next alert does not undo the
# undoing.
LEFT_ALONE = 30 * 60.0

# Reasons for which what was asked for is so now.
_DONE = ("undone", "nothing-to-undo")


def undo(options: Options, kubectl: Cluster, reach: Reach) -> int:
    """The exit code: 1 where something is still as it was. Raises DeploymentError."""
    by = options.by or who(kubectl)
    ledgers = places(options, kubectl)
    until = after(reach.clock.now(), LEFT_ALONE)

    def exempt(uid: str, what: str) -> None:
        for place in ledgers:
            store = reach.ledger(place)
            ledger.change(store, lambda book: book.leave_alone(uid, what, by, until))

    kind, name = options.target
    namespace = options.namespace or kubectl.current_namespace()
    asked = Undo(reach.cluster, exempt, force=options.force)
    try:
        outcome = asked.node(name) if kind == "node" else asked.pod(name, namespace=namespace)
    except PlaybookError as error:
        raise DeploymentError(str(error)) from error
    _print(outcome, options.json)
    if outcome.reason == "undone":
        target_ref = TargetRef("undo", kind.capitalize(), name, namespace, outcome.details["uid"])
        if kind == "node":
            target_ref = replace(target_ref, namespace="")
        for place in ledgers:
            _put_on_record(outcome, target_ref, options.playbook, place, kubectl, by)
    if outcome.reason == "undone" and ledgers:
        kept = ", ".join("/".join(place) for place in ledgers)
        tell("", [f"{options.playbook} leaves it alone until {until}, by {by} (ledger {kept})"])
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
