"""``falco-playbook sweep``: ends what a playbook contained for a time only, once that is over.

A worker does so by itself; what Kubeless serves runs only while an alert is answered.
"""

from __future__ import annotations

import json

from playbooks.commands.cluster import Cluster
from playbooks.commands.command_line import Options
from playbooks.commands.ledger_places import places
from playbooks.commands.reach import Reach
from playbooks.core.containment.expiry import Expiry
from playbooks.core.errors import PlaybookError
from playbooks.core.ledger import ledger
from playbooks.core.outcome import Status
from playbooks.deployment.errors import DeploymentError
from playbooks.deployment.request import catalogue


def sweep(options: Options, kubectl: Cluster, reach: Reach) -> int:
    """The exit code: 1 where something could not be ended. Raises DeploymentError."""
    playbook = catalogue.load(options.playbook)
    ledgers = places(options, kubectl, playbook.name)

    def paused() -> str:
        found = [ledger.paused(reach.ledger(place)) for place in ledgers]
        return "; ".join(filter(None, found))

    containment = playbook.reaction.CONTAINMENT
    assert containment is not None
    namespaces = (options.namespace,) if options.namespace else ()
    looking = Expiry(containment, reach.cluster, reach.clock, paused, namespaces)
    try:
        outcomes = looking.once()
    except PlaybookError as error:
        raise DeploymentError(str(error)) from error
    if options.json:
        print(json.dumps([outcome.to_dict() for outcome in outcomes], indent=2), flush=True)
    else:
        for outcome in outcomes:
            print(outcome.message, flush=True)
    return int(any(outcome.status is Status.FAILED for outcome in outcomes))
