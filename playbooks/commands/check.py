"""``falco-playbook check``: is this cluster ready for a playbook?"""

from __future__ import annotations

import json
from typing import Iterator, List, Optional, Tuple

from playbooks.commands.checks import admission_policy, enforcement, nats, rights, serving
from playbooks.commands.checks.finding import WARNING, Finding, evaluated, is_ready
from playbooks.commands.checks.serving import Served
from playbooks.commands.cluster import Cluster
from playbooks.commands.command_line import Options
from playbooks.core.playbook import Playbook
from playbooks.deployment.apply.waiting import Sleep
from playbooks.deployment.manifests.worker_pod import STOCK_IMAGE
from playbooks.deployment.request import catalogue


def check(options: Options, cluster: Cluster, namespace: str, sleep: Sleep) -> int:
    """The exit code: 0, or 1 where something failed or could not be looked at."""
    found: List[Finding] = []
    for finding in _findings(options, cluster, namespace, sleep):
        found.append(finding)
        if not options.json:
            print(finding, flush=True)
    ready = is_ready(found)
    if options.json:
        print(json.dumps(_document(options, namespace, found), indent=2))
    else:
        said = "is ready" if ready else "is not ready"
        print(f"{namespace}/{options.function} {said}")
    return 0 if ready else 1


def _document(options: Options, namespace: str, found: List[Finding]) -> object:
    return {
        "function": f"{namespace}/{options.function}",
        "ready": is_ready(found),
        "checks": [finding.to_dict() for finding in found],
    }


def _findings(
    options: Options, cluster: Cluster, namespace: str, sleep: Sleep
) -> Iterator[Finding]:
    found, served = _served(options, cluster, namespace)
    yield from found
    playbook = _playbook(options, served)
    if playbook is None:
        return
    places = rights.namespaces(served.environment if served else {})
    if served:
        yield from evaluated(
            rights.RIGHTS,
            lambda: rights.look(
                cluster,
                namespace,
                options.function,
                playbook.rights(served.environment),
                places=places,
                own=rights.WORKERS if served.deployed else (),
            ),
        )
        yield from _inspected(cluster, served)
    yield from evaluated(
        admission_policy.POLICY,
        lambda: admission_policy.look(
            cluster, namespace, options.function, playbook.name, places=places
        ),
    )
    if playbook.name == "isolate":
        image = options.image or _image(served)
        yield from evaluated(
            enforcement.ENFORCED, lambda: enforcement.look(cluster, image, sleep=sleep)
        )


def _served(
    options: Options, cluster: Cluster, namespace: str
) -> Tuple[List[Finding], Optional[Served]]:
    served: List[Optional[Served]] = [None]

    def look() -> List[Finding]:
        found, served[0] = serving.look(cluster, namespace, options.function)
        return found

    return evaluated(serving.FUNCTION, look), served[0]


def _playbook(options: Options, served: Optional[Served]) -> Optional[Playbook]:
    """What is deployed decides, and else what was typed. Raises UsageError."""
    name = served.playbook if served and served.playbook else options.playbook
    return catalogue.load(name) if name else None


def _inspected(cluster: Cluster, served: Served) -> List[Finding]:
    deployed = served.deployed
    if deployed is None:
        said = "Kubeless' controller reaches it, not the function: nothing of it is looked at"
        return [Finding(nats.NATS, WARNING, said, "alerts arrive at most once there")]
    return evaluated(nats.NATS, lambda: nats.look(cluster, deployed, served.topics))


def _image(served: Optional[Served]) -> str:
    """One that has Python and is likely to be on the nodes already."""
    return served.image if served and served.deployed else STOCK_IMAGE
