"""The cluster of a function outside of it: one of EKS, as the function's execution role."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Dict, Mapping, Optional, Tuple

from playbooks.core.errors import NoCluster
from playbooks.core.playbook import Playbook
from playbooks.core.settings import read
from playbooks.infrastructure import wiring
from playbooks.infrastructure.amazon.api import AwsApi
from playbooks.infrastructure.amazon.eks_token import EksToken
from playbooks.infrastructure.amazon.settings import (
    EKS,
    EKS_CA,
    EKS_CLUSTER,
    EKS_ENDPOINT,
    check,
)
from playbooks.infrastructure.kubernetes import connect
from playbooks.infrastructure.kubernetes.api import KubernetesApi
from playbooks.infrastructure.kubernetes.connect import TargetCluster
from playbooks.infrastructure.kubernetes.credentials import Who
from playbooks.infrastructure.kubernetes.kubeconfig import Entry, Kubeconfig


def on_cluster(playbook: Playbook, environ: Mapping[str, str] = os.environ) -> Playbook:
    """The playbook, acting on the cluster EKS_CLUSTER; as it is, where it acts on none. Raises
    InvalidSetting."""
    return wiring.on(playbook, api_of(environ)) if playbook.permissions else playbook


def api_of(environ: Mapping[str, str], *, aws: Optional[AwsApi] = None) -> KubernetesApi:
    """That of the cluster EKS_CLUSTER. Raises InvalidSetting.

    EKS is asked for the cluster at the first call of its API, unless the settings have it, and
    again once the API server refused the credentials.
    """
    settings = read(EKS, environ)
    check(settings)
    name = settings[EKS_CLUSTER.name]
    token, asked = EksToken(name, environ), aws or AwsApi(environ)

    def target() -> TargetCluster:
        server, authority = settings[EKS_ENDPOINT.name], settings[EKS_CA.name]
        if not server:
            server, authority = described(name, asked)
        return connect.of_config(
            _kubeconfig(name, {"server": server, "certificate-authority-data": authority}),
            environ,
            who=lambda _: Who(authorization=token.header),
        )

    return KubernetesApi(connect=connect.renewing(target, token.renew))


def described(name: str, aws: AwsApi) -> Tuple[str, str]:
    """The URL of its API server, and its authority as base64."""
    what = f"cluster {name} of EKS"
    answer = aws.get("eks", f"/clusters/{name}", what=what, action="eks:DescribeCluster")
    try:
        found = answer["cluster"]
        server, authority = found["endpoint"], found["certificateAuthority"]["data"]
    except (TypeError, KeyError):
        server, authority = None, None
    if not (isinstance(server, str) and isinstance(authority, str) and server and authority):
        raise NoCluster(f"{what} has no API server yet, or none any more")
    if not server.startswith("https://"):
        raise NoCluster(f"{what} has no API server with HTTPS")
    return server, authority


def _kubeconfig(name: str, cluster: Dict[str, str]) -> Kubeconfig:
    here = Path.cwd()
    return Kubeconfig(
        (Path(f"EKS_CLUSTER={name}"),),
        name,
        {name: Entry(f"cluster {name}", cluster, here)},
        {},
        {name: Entry(f"context {name}", {"cluster": name}, here)},
    )
