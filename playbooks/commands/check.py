"""``falco-playbook check``: is this cluster ready for a playbook?"""

from __future__ import annotations

from typing import Iterator, List, Optional, Sequence, Tuple

import click

from playbooks.commands.checks import (
    admission_policy,
    enforcement,
    exemptions,
    ledger,
    nats,
    network,
    nodes,
    outcomes,
    rights,
    serving,
)
from playbooks.commands.checks.finding import WARNING, Finding, evaluated, is_ready, show
from playbooks.commands.checks.serving import Served
from playbooks.commands.options import Selection, Session, command, outputs, selects
from playbooks.commands.targets import pushed
from playbooks.core.cluster.manifest import Manifest
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.cluster.permissions import Permission
from playbooks.core.cluster.policies import denying
from playbooks.core.playbook import Playbook
from playbooks.core.reaction import NETWORK_POLICIES
from playbooks.deployment.manifests import ledger as manifests
from playbooks.deployment.manifests.access import WORKER
from playbooks.deployment.manifests.worker_pod import STOCK_IMAGE
from playbooks.deployment.request import by_name
from playbooks.deployment.terminal import print_json
from playbooks.engines.worker import watched


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
    unnamed = image is not None and (not image or image.split() != [image])
    which.check(*([f"--image is {image!r}, expected the name of an image"] if unnamed else []))
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
    cluster = session.cluster
    found, served = _served(cluster, namespace, which.function)
    yield from found
    playbook = _playbook(which, served)
    if playbook is None:
        return
    environment = served.environment if served else {}
    places = rights.namespaces(environment)
    who = _who(served)
    if served:
        yield from evaluated(
            rights.RIGHTS,
            lambda: rights.look(
                cluster,
                namespace,
                which.function,
                _rights(playbook, served),
                places=places,
                own=WORKER if served.deployed else (),
                who=who,
            ),
        )
        yield from _of_ledger(cluster, served, playbook)
        if served.deployed:
            yield from evaluated(
                network.NETWORK, lambda: network.look(cluster, namespace, which.function)
            )
        yield from _inspected(cluster, served)
    yield from evaluated(
        admission_policy.POLICY,
        lambda: admission_policy.look(
            cluster,
            namespace,
            which.function,
            playbook,
            places=places,
            ledger=manifests.place(environment, namespace, which.function),
            who=who,
        ),
    )
    if playbook.reaction.TARGETS == nodes.NODES:
        own = served.deployed if served else None
        yield from evaluated(nodes.NODES, lambda: nodes.look(cluster, playbook, environment, own))
    if NETWORK_POLICIES in playbook.relies_on(environment):
        chosen = image or _image(served)
        kind = environment.get(denying.SETTING, "kubernetes")
        yield from evaluated(
            enforcement.ENFORCED,
            lambda: enforcement.look(cluster, chosen, sleep=session.sleep, policy=kind),
        )


def _who(served: Optional[Served]) -> Optional[Manifest]:
    """Who it is here, where that is no service account of its name."""
    subjects = pushed.subjects_of(served.function) if served else ()
    return next((each for each in subjects if each["kind"] != "ServiceAccount"), None)


def _rights(playbook: Playbook, served: Served) -> Sequence[Permission]:
    if not served.deployed:
        return playbook.rights(served.environment)
    rights = playbook.rights(served.environment, looks=True)
    return (*rights, *watched.permissions(playbook, served.environment))


def _served(
    cluster: ClusterObjects, namespace: str, function: str
) -> Tuple[List[Finding], Optional[Served]]:
    served: List[Optional[Served]] = [None]

    def look() -> List[Finding]:
        found, served[0] = serving.look(cluster, namespace, function)
        return found

    return evaluated(serving.FUNCTION, look), served[0]


def _playbook(which: Selection, served: Optional[Served]) -> Optional[Playbook]:
    """The deployed one, and else the one that was typed. Raises UsageError."""
    name = served.playbook if served and served.playbook else which.playbook
    return by_name.load(name) if name else None


def _of_ledger(cluster: ClusterObjects, served: Served, playbook: Playbook) -> Iterator[Finding]:
    if not playbook.acts:
        return
    yield from evaluated(ledger.LEDGER, lambda: ledger.look(cluster, served.function, playbook))
    yield from evaluated(
        exemptions.EXEMPTIONS, lambda: exemptions.look(cluster, playbook, served.environment)
    )


def _inspected(cluster: ClusterObjects, served: Served) -> List[Finding]:
    deployed = served.deployed
    if pushed.engine_of(served.function):
        return []
    if deployed is None:
        said = "Kubeless' controller reaches it, not the function: nothing of it is looked at"
        return [Finding(nats.NATS, WARNING, said, "alerts arrive at most once there")]
    return [
        *evaluated(nats.NATS, lambda: nats.look(cluster, deployed, served.topics)),
        *evaluated(outcomes.OUTCOMES, lambda: outcomes.look(cluster, deployed, served.function)),
    ]


def _image(served: Optional[Served]) -> str:
    """One that has Python and is likely to be on the nodes already."""
    return served.image if served and served.deployed else STOCK_IMAGE
