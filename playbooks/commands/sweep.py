"""``falco-playbook sweep``: ends the containment whose time is over.

A worker does so by itself. Kubeless runs a function only while it answers an alert, so that there a
CronJob runs this.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Callable, List

from playbooks.commands import tell
from playbooks.commands.options import Selection, Session, command, outputs, selects
from playbooks.commands.targets.ledgers import ChosenLedgers, chooses_ledgers
from playbooks.core import catalogue
from playbooks.core.containment.expiry import Expiry
from playbooks.core.guards.protected import ProtectedNamespaces
from playbooks.core.notifications.plain_text import plain
from playbooks.core.outcome import Status
from playbooks.core.settings import names
from playbooks.deployment.errors import DeploymentError
from playbooks.deployment.removal.client import FunctionLedger, refuse_without_rights
from playbooks.deployment.request import by_name
from playbooks.deployment.terminal import print_json
from playbooks.infrastructure.ledger import StoredLedger


def _details() -> str:
    found = ((each.name, each.reaction.TTL) for each in catalogue.containing())
    ending = ", ".join(f"{name} ({ttl})" for name, ttl in found if ttl)
    return f"Playbooks whose containment ends by itself, each with the setting for it: {ending}."


@command(
    "sweep -p isolate",
    "sweep -p taint --ledger responders/falco-taint-ledger",
    details=_details,
)
@selects
@outputs("text", "json")
@chooses_ledgers("that says what was contained, and whether the playbook is paused")
def sweep(session: Session, which: Selection, output: str, ledgers: ChosenLedgers) -> int:
    """End containment whose time is over.

    A worker does so by itself, twice a minute. With Kubeless, a CronJob runs this command. While
    the playbook is paused, nothing is ended. -n limits it to the objects of one namespace, and to
    those that belong to none.
    """
    which.check(*_problems(which.playbook), *ledgers.problems(), required=False)
    playbook = by_name.load(which.playbook)
    client = session.client()
    containment = playbook.reaction.CONTAINMENT
    assert containment is not None
    namespaces = (which.namespace,) if which.namespace else ()
    protected = names(str(ProtectedNamespaces.SETTINGS[0].default))
    outcomes = []
    for each in ledgers.of(session, which, [playbook])[playbook.name]:
        stored = StoredLedger(client.ledger(each.place))
        among = (namespaces, protected)
        reaches = (lambda _: True) if ledgers.given else _reaching(session, each)
        outcomes += Expiry(
            [containment], client.cluster, client.clock, stored, *among, reaches=reaches
        ).once()
    if output == "json":
        print_json([outcome.to_dict() for outcome in outcomes])
    else:
        for outcome in outcomes:
            print(plain(outcome.message), flush=True)
        if not outcomes:
            where = f" in {which.namespace}" if which.namespace else ""
            print(f"nothing of {playbook.name} has expired{where}", flush=True)
    return int(any(outcome.status is Status.FAILED for outcome in outcomes))


def _reaching(session: Session, known: FunctionLedger) -> Callable[[str], bool]:
    """Of a Function that anybody may have made: whether it has rights in a namespace. Says where it
    has none."""
    home, _ = known.place

    @lru_cache(maxsize=None)
    def reaches(namespace: str) -> bool:
        try:
            refuse_without_rights(session.cluster, known.function, home, namespace)
        except DeploymentError as error:
            tell(
                "warning", [f"the ledger of Function {home}/{known.function} is left out: {error}"]
            )
            return False
        return True

    return reaches


def _problems(playbook: str) -> List[str]:
    known = [each.name for each in catalogue.containing()]
    if playbook in known:
        return []
    given = repr(playbook) if playbook else "missing"
    return [f"-p is {given}, expected {' or '.join(known)}"]
