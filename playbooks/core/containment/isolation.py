"""The isolation of one pod as it stands in the cluster, and how it ends."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional

from playbooks.core.cluster import network_policy
from playbooks.core.cluster.network_policy import LABEL
from playbooks.core.cluster.pod import Pod, ReplicaController
from playbooks.core.containment import pod_mark
from playbooks.core.containment.pod_mark import PodMark
from playbooks.core.errors import NotFound
from playbooks.core.ports import Cluster


@dataclass(frozen=True)
class Isolation:
    """What is left of it: a policy, a label, annotations, or nothing."""

    pod: Pod
    mark: PodMark
    policy: Optional[Mapping[str, Any]]

    @classmethod
    def of(cls, pod: Pod, cluster: Cluster) -> Isolation:
        """One call: policies are listed, since a playbook may list them anyway."""
        name = network_policy.name_for(pod)
        listed = cluster.network_policies(pod.namespace)
        found = (policy for policy in listed if policy["metadata"]["name"] == name)
        return cls(pod, PodMark.of(pod), next(found, None))

    @property
    def there(self) -> bool:
        return bool(self.policy or LABEL in self.pod.labels or pod_mark.on(self.pod))

    @property
    def whole(self) -> bool:
        """Whether the policy selects the pod, as isolate left it."""
        return self.policy is not None and self.pod.labels.get(LABEL) == self.pod.uid

    @property
    def detached(self) -> bool:
        return bool(self.mark.detached)

    @property
    def changes(self) -> List[str]:
        """What somebody changed since, in words."""
        found, labels = [], self.pod.labels
        if self.policy is not None:
            owner = (self.policy["metadata"].get("labels") or {}).get(LABEL)
            if owner != self.pod.uid or network_policy.edited(self.policy):
                found.append(f"NetworkPolicy {self.policy['metadata']['name']} was edited")
        back = sorted(key for key in self.mark.detached if key in labels)
        if back:
            found.append(f"labels {', '.join(back)} were put back")
        if labels.get(LABEL, self.pod.uid) != self.pod.uid:
            found.append(f"label {LABEL} was edited")
        if self.mark.unreadable:
            found.append(f"annotation {self.mark.unreadable} was edited")
        return found

    @property
    def labels_to_put_back(self) -> Dict[str, str]:
        """Not those that somebody put back already."""
        labels = self.pod.labels
        return {key: value for key, value in self.mark.detached.items() if key not in labels}

    def displacing(self, cluster: Cluster) -> List[ReplicaController]:
        """Whoever would kill another pod for this one, had it its labels again. Two calls where
        there are any to put back."""
        back = self.labels_to_put_back
        if not back:
            return []
        labels = {**self.pod.labels, **back}
        found = cluster.replica_controllers(self.pod.namespace)
        return [controller for controller in found if controller.would_kill_for(labels)]

    def end(self, cluster: Cluster) -> None:
        """The pod first: what has no label is no longer selected, and who isolates it anew
        meanwhile writes the policy, which then stays.

        Raises NotFound, or Conflict where the pod or the policy was written since they were read.
        """
        labels: Dict[str, Optional[str]] = dict(self.labels_to_put_back)
        if LABEL in self.pod.labels:
            labels[LABEL] = None
        annotations = pod_mark.on(self.pod)
        if labels or annotations:
            cluster.patch_pod(self.pod, labels=labels, annotations=dict(annotations))
        if self.policy is not None:
            with suppress(NotFound):
                cluster.delete_network_policy(self.policy)
