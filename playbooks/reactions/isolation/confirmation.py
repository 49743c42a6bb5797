"""Whether a network plugin knows that a pod is isolated, as far as it tells.

Cilium's agents write the labels of a pod's identity into its CiliumEndpoint. That the label is
there does not say that traffic is denied: no agent writes enforcement there (1.18). Other plugins
say nothing of the kind.
"""

from __future__ import annotations

from typing import Optional

from playbooks.core.cluster.network_policy import LABEL
from playbooks.core.cluster.pod import Pod
from playbooks.core.instant import Instant
from playbooks.core.outcome import IDENTITY_CONFIRMED, NOT_KNOWN, UNCONFIRMED, Outcome, Status
from playbooks.core.ports import Clock, Cluster


def confirmation(
    cluster: Cluster, pod: Pod, clock: Clock, since: Instant, last: bool
) -> Optional[Outcome]:
    """None: to be looked at again. ``since``: when the pod was labelled. ``last``: whether this is
    the last look. Raises a PlaybookError."""
    labels = cluster.identity_labels(pod)
    if labels is None:
        said = f"nothing in the cluster tells whether a network plugin knows that {pod} is isolated"
        return Outcome(Status.LOOKED, NOT_KNOWN, said, str(pod))
    seconds = round(clock.now().seconds_since(since), 1)
    if f"k8s:{LABEL}={pod.uid}" in labels:
        said = f"Cilium has {LABEL} in the identity of {pod} after {seconds:g}s"
        return Outcome(Status.LOOKED, IDENTITY_CONFIRMED, said, str(pod), {"seconds": seconds})
    if not last:
        return None
    if not labels:
        said = f"Cilium has no endpoint with an identity for {pod}: it may be gone"
        return Outcome(Status.LOOKED, NOT_KNOWN, said, str(pod))
    said = (
        f"Cilium does not have {LABEL} in the identity of {pod} after {seconds:g}s: it may come"
        " later (identity-max-jitter), or its list of identity labels leaves it out (labels)"
    )
    return Outcome(Status.LOOKED, UNCONFIRMED, said, str(pod), {"seconds": seconds})
