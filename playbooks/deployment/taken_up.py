"""Whether Kubeless' controllers know what was deployed: they put a finalizer on it at once."""

from __future__ import annotations

import time
from typing import List, Sequence

from playbooks.core.cluster.manifest import Manifest, shown
from playbooks.deployment.apply.waiting import PAUSE, Sleep
from playbooks.deployment.kubectl import Kubectl

SECONDS = 5.0


def warnings(
    kubectl: Kubectl,
    manifests: Sequence[Manifest],
    *,
    sleep: Sleep = time.sleep,
    seconds: float = SECONDS,
) -> List[str]:
    """One for the objects that no controller has taken up after some seconds."""
    waiting = _waiting(kubectl, manifests)
    for _ in range(int(seconds / PAUSE)):
        if not waiting:
            return []
        sleep(PAUSE)
        waiting = _waiting(kubectl, manifests)
    if not waiting:
        return []
    return [
        f"no controller of Kubeless has taken up {', '.join(waiting)}: until one does, no alert is"
        " answered (Kubeless' function controller starts on Kubernetes 1.21 at most, its NATS"
        " trigger on 1.17)"
    ]


def _waiting(kubectl: Kubectl, manifests: Sequence[Manifest]) -> List[str]:
    return [shown(m) for m in kubectl.get(manifests) if not m["metadata"].get("finalizers")]
