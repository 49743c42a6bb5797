"""``falco-playbook check``: is this cluster ready for a playbook?"""

from __future__ import annotations

from functools import partial
from typing import Callable, Iterator, List, Optional, Sequence, Tuple

import click

from playbooks.commands.checks import (
    admission_policy,
    enforcement,
    held,
    nats,
    nodes,
    rights,
    serving,
)
from playbooks.commands.checks.finding import Finding, evaluated, is_ready, show
from playbooks.commands.checks.serving import Checked, Served
from playbooks.commands.options import Selection, Session, command, outputs, selects
from playbooks.core.cluster.policies import denying
from playbooks.core.reaction import NETWORK_POLICIES
from playbooks.deployment.engines.kubeless import controller_namespace
from playbooks.deployment.manifests.record import playbook_of
from playbooks.deployment.manifests.worker_pod import STOCK_IMAGE
from playbooks.deployment.request import by_name
from playbooks.deployment.request.names import image_problems
from playbooks.deployment.terminal import print_json

Checks = Sequence[Tuple[str, Callable[[Checked], List[Finding]]]]

# By their names: those of a function that is there, and those of the playbook in any case. What is
# no matter of the playbook's has no finding.
OF_FUNCTION: Checks = (
    (rights.RIGHTS, rights.look),
    (held.LEDGER, held.ledger),
    (held.EXEMPTIONS, held.exemptions),
    (serving.NETWORK, serving.network),
    (nats.NATS, nats.look),
    (nats.OUTCOMES, nats.outcomes),
)
OF_PLAYBOOK: Checks = ((admission_policy.POLICY, admission_policy.look), (nodes.NODES, nodes.look))


@command("check -p isolate -n responders", "check -p delete -o json")
@selects
@outputs("text", "json")
@click.option(
    "--image",
    metavar="IMAGE",
    help="The image, with Python, of the two pods that 'check -p isolate' runs, for about a minute"
    " or up to four. Default: that of the worker.",
)
def check(session: Session, which: Selection, output: str, image: Optional[str]) -> int:
    """Check that the cluster is ready for a playbook.

    It checks the function, its topics, rights, pause and budgets, NATS, the alerts of the last day
    and what became of them, exemptions, the admission policies, the nodes where it changes nodes
    and, for isolate, the network plugin. Exit code 0: ready, perhaps with warnings; 1: a check
    failed, or is unknown.
    """
    which.check(*image_problems(image, "--image"))
    if which.playbook:
        by_name.load(which.playbook)
    namespace = session.namespace(which)
    found: List[Finding] = []
    for finding in _findings(session, which, namespace, image):
        found.append(finding)
        if output != "json":
            show(finding)
    ready = is_ready(found)
    shown = f"{namespace}/{which.function}"
    if output == "json":
        document = {"function": shown, "ready": ready, "checks": [f.to_dict() for f in found]}
        print_json(document)
    else:
        print(f"{shown} {'is ready' if ready else 'is not ready'}")
    return 0 if ready else 1


def _findings(
    session: Session, which: Selection, namespace: str, image: Optional[str]
) -> Iterator[Finding]:
    cluster, function = session.cluster, which.function
    of_kubeless = controller_namespace(session.environ)
    there: List[Served] = []

    def look() -> List[Finding]:
        found, served = serving.look(cluster, function, namespace, of_kubeless)
        there.extend([served] if served else [])
        return found

    yield from evaluated(serving.FUNCTION, look)
    served = there[0] if there else Served({})
    # The deployed one, and else the one that was typed.
    name = playbook_of(served.function) or which.playbook
    if not name:
        return
    checked = Checked(cluster, namespace, function, by_name.load(name), served)
    for check, look_at in (*(OF_FUNCTION if there else ()), *OF_PLAYBOOK):
        yield from evaluated(check, partial(look_at, checked))
    if NETWORK_POLICIES in checked.playbook.relies_on(checked.environment):
        # One that has Python and is likely to be on the nodes already.
        own = served.image if served.deployed else STOCK_IMAGE
        kind = checked.environment.get(denying.SETTING, "kubernetes")
        enforced = partial(
            enforcement.look, cluster, image or own, sleep=session.sleep, policy=kind
        )
        yield from evaluated(enforcement.ENFORCED, enforced)
