"""``falco-playbook sweep``: ends what a playbook contained for a time only, once that is over.

A worker does so by itself; what Kubeless serves runs only while an alert is answered.
"""

from __future__ import annotations

import json

from playbooks.commands.cluster import Cluster
from playbooks.commands.command_line import Options
from playbooks.commands.ledger_places import places
from playbooks.commands.reach import Reach
from playbooks.core.containment.expiry import NodeSweep, PodSweep, Sweep
from playbooks.core.errors import PlaybookError
from playbooks.core.ledger import ledger
from playbooks.core.outcome import Status
from playbooks.deployment.errors import DeploymentError


def sweep(options: Options, kubectl: Cluster, reach: Reach) -> int:
    """The exit code: 1 where something could not be ended. Raises DeploymentError."""
    ledgers = places(options, kubectl)

    def paused() -> str:
        brakes = [ledger.brake(reach.ledger(place)) for place in ledgers]
        return "; ".join(filter(None, brakes))

    looking: Sweep
    if options.playbook == "taint":
        looking = NodeSweep(reach.cluster, reach.clock, paused)
    else:
        namespaces = (options.namespace,) if options.namespace else ()
        looking = PodSweep(reach.cluster, reach.clock, paused, namespaces)
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
