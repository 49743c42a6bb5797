"""Earlier names of the port and of its errors."""

from playbooks.core.cluster.objects import ClusterObjects as Kubectl
from playbooks.core.errors import AlreadyExists as Exists
from playbooks.core.errors import Conflict as Conflicting
from playbooks.core.errors import NotFound as NotThere
from playbooks.core.errors import NotPermitted as Forbidden
from playbooks.core.errors import PlaybookError as KubectlError

__all__ = ["Conflicting", "Exists", "Forbidden", "Kubectl", "KubectlError", "NotThere"]
