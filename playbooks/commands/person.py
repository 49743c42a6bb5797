"""Who asks, for the record."""

from __future__ import annotations

import getpass
import socket

from playbooks.commands.cluster import Cluster


def who(cluster: Cluster) -> str:
    """As the cluster knows them, and as this machine does: many share an account of a cluster."""
    try:
        local = getpass.getuser()
    except (KeyError, OSError):
        local = "somebody"
    here = f"{local}@{socket.gethostname()}"
    known = cluster.whoami()
    return f"{known} ({here})" if known else here
