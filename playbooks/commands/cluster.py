"""Earlier names of the port."""

from playbooks.core.cluster.objects import ClusterObjects as Cluster
from playbooks.core.cluster.objects import Executed

__all__ = ["Cluster", "Executed"]
