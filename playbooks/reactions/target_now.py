"""What was acted upon, as it is some time after that."""

from __future__ import annotations

from typing import Optional, Union

from playbooks.core.errors import NotFound, NotTheSameObject
from playbooks.core.ports import Cluster, Known
from playbooks.core.reaction import Verified


def target_now(target: Optional[Known], cluster: Cluster) -> Union[Known, Verified]:
    """Verified where it is gone: nothing of it is left that could act. Raises a PlaybookError."""
    assert target is not None
    try:
        return cluster.again(target)
    except NotFound:
        return Verified(True, f"{target} is gone")
    except NotTheSameObject:
        return Verified(True, f"{target} is gone, and another has its name")
