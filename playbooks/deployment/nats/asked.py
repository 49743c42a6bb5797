"""What ``-S --with-nats`` was asked for on the command line."""

from __future__ import annotations

from typing import Callable

from playbooks.deployment.errors import UsageError
from playbooks.deployment.nats.install import Installation, WorkerUser
from playbooks.deployment.nats.manifests import IMAGE
from playbooks.deployment.request import assignments, by_name
from playbooks.deployment.request.names import place_problems
from playbooks.deployment.request.options import Options

# The option of ``-E kubernetes`` that names an image with our code.
_WORKER_IMAGE = "image"


def installation(options: Options, current_namespace: Callable[[], str]) -> Installation:
    """Raises UsageError. ``current_namespace``: for a worker without ``-n``."""
    name = options.deployed_name
    namespace = options.namespace or (current_namespace() if name else "")
    problems = place_problems(name, namespace or None)
    given = assignments.readable(assignments.value, options.values, problems)
    if options.playbook:
        by_name.load(options.playbook)
    if problems:
        raise UsageError(problems)
    return Installation(
        worker=WorkerUser(options.function, namespace) if name else None,
        image=options.nats_image or IMAGE,
        worker_image=options.own.get(_WORKER_IMAGE, ""),
        variables={each.name: each.text for each in given},
    )
