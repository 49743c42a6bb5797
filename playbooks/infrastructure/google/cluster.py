"""The cluster of a function outside of it: that of a kubeconfig in Secret Manager."""

from __future__ import annotations

import os
from typing import Mapping, Optional

from playbooks.core.errors import NoCluster
from playbooks.core.playbook import Playbook
from playbooks.core.settings import read
from playbooks.infrastructure import wiring
from playbooks.infrastructure.google.account import ServiceAccount
from playbooks.infrastructure.google.secret_manager import SecretManager
from playbooks.infrastructure.google.settings import KUBECONFIG_SECRET
from playbooks.infrastructure.kubernetes import connect, kubeconfig
from playbooks.infrastructure.kubernetes.api import KubernetesApi
from playbooks.infrastructure.kubernetes.connect import TargetCluster
from playbooks.infrastructure.kubernetes.credentials import Who
from playbooks.infrastructure.kubernetes.kubeconfig import Entry

# What gcloud writes into a kubeconfig. Source:
# https://cloud.google.com/blog/products/containers-kubernetes/kubectl-auth-changes-in-gke
PLUGIN, PROVIDER = "gke-gcloud-auth-plugin", "gcp"


def on_cluster(playbook: Playbook, environ: Mapping[str, str] = os.environ) -> Playbook:
    """The playbook, acting on the cluster of KUBECONFIG_SECRET; as it is, where it acts on none.
    Raises InvalidSetting."""
    return wiring.on(playbook, api_of(environ)) if playbook.permissions else playbook


def api_of(
    environ: Mapping[str, str], *, account: Optional[ServiceAccount] = None
) -> KubernetesApi:
    """That of the current context of the kubeconfig in KUBECONFIG_SECRET. Raises InvalidSetting.

    The secret is read at the first call of the API, and again once the API server refused the
    credentials.
    """
    name: str = read((KUBECONFIG_SECRET,), environ)[KUBECONFIG_SECRET.name]
    known = account or ServiceAccount()
    secrets = SecretManager(known, environ)

    def target() -> TargetCluster:
        config = kubeconfig.of_text(secrets.text(name), name)
        return connect.of_config(config, environ, who=lambda user: _who(user, known))

    return KubernetesApi(connect=connect.renewing(target, known.renew))


def _who(user: Entry, account: ServiceAccount) -> Optional[Who]:
    """The function's own account for whom gcloud would be asked. Raises NoCluster for another
    program, which a function has not."""
    plugin = user.part("exec").text("command")
    provider = user.part("auth-provider").text("name")
    if plugin.rpartition("/")[2] == PLUGIN or provider == PROVIDER:
        return Who(authorization=account.header)
    if plugin:
        raise NoCluster(
            f"{user.name} wants the program {plugin}, which no function has: give it a token, or a"
            f" client certificate, or {PLUGIN} for GKE"
        )
    return None
