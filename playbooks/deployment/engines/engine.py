"""Which engine serves a playbook in a cluster, and why."""

from __future__ import annotations

from dataclasses import dataclass

from playbooks.deployment import controllers
from playbooks.deployment.kubectl import Forbidden, Kubectl, KubectlError


@dataclass(frozen=True)
class Engine:
    name: str
    why: str


def choose(kubectl: Kubectl, namespace: str) -> Engine:
    """For ``-E auto``. ``namespace``: where Kubeless' controllers are, if they are anywhere."""
    try:
        deployment = controllers.ready(kubectl, namespace)
    except Forbidden as error:
        return Engine("kubernetes", f"Kubeless' controller cannot be looked for: {_first(error)}")
    if deployment:
        return Engine("kubeless", f"{deployment} is ready")
    return Engine("kubernetes", "no Deployment of Kubeless' controller is ready in this cluster")


def choose_without_change(kubectl: Kubectl, namespace: str) -> Engine:
    """The same for who only wants to see the objects, with or without a cluster."""
    try:
        return choose(kubectl, namespace)
    except KubectlError as error:
        return Engine("kubernetes", f"no cluster says otherwise: {_first(error)}")


def _first(error: KubectlError) -> str:
    return str(error).splitlines()[0]
