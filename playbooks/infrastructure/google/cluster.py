"""The cluster of a function outside of it: that of a kubeconfig in Secret Manager."""

from __future__ import annotations

import os
from typing import Callable, Mapping, Optional

from playbooks.core.errors import NoCluster
from playbooks.core.playbook import Playbook
from playbooks.core.settings import read
from playbooks.infrastructure import wiring
from playbooks.infrastructure.google.account import ServiceAccount
from playbooks.infrastructure.google.secret_manager import SecretManager
from playbooks.infrastructure.google.settings import KUBECONFIG_SECRET
from playbooks.infrastructure.kubernetes import connect, kubeconfig
from playbooks.infrastructure.kubernetes.api import KubernetesApi
from playbooks.infrastructure.kubernetes.connect import Connection, TargetCluster
from playbooks.infrastructure.kubernetes.credentials import Who
from playbooks.infrastructure.kubernetes.kubeconfig import Entry

# What gcloud writes into a kubeconfig. Source:
# https://cloud.google.com/blog/products/containers-kubernetes/kubectl-auth-changes-in-gke
PLUGIN, PROVIDER = "gke-gcloud-auth-plugin", "gcp"


def on_cluster(
    playbook: Playbook,
    environ: Mapping[str, str] = os.environ,
    *,
    account: Optional[ServiceAccount] = None,
) -> Playbook:
    """The playbook, acting on the cluster of KUBECONFIG_SECRET; as it is, where it acts on none.

    Raises InvalidSetting. The secret is read at the first call of the API, and again once the API
    server refused the credentials.
    """
    if not playbook.permissions:
        return playbook
    name: str = read((KUBECONFIG_SECRET,), environ)[KUBECONFIG_SECRET.name]
    account = account or ServiceAccount()
    secrets = SecretManager(account, environ)
    return wiring.on(playbook, KubernetesApi(connect=_connecting(name, secrets, account, environ)))


def of_secret(
    name: str, secrets: SecretManager, account: ServiceAccount, environ: Mapping[str, str]
) -> TargetCluster:
    """That of the kubeconfig's current context. Raises NoCluster, NotPermitted or
    ClusterUnavailable."""
    config = kubeconfig.of_text(secrets.text(name), name)
    return connect.of_config(config, environ, who=lambda user: _who(user, account))


def _connecting(
    name: str, secrets: SecretManager, account: ServiceAccount, environ: Mapping[str, str]
) -> Callable[[], Connection]:
    return connect.renewing(lambda: of_secret(name, secrets, account, environ), account.renew)


def _who(user: Entry, account: ServiceAccount) -> Optional[Who]:
    """The function's own account for whom gcloud would be asked. Raises NoCluster for another
    program, which a function has not."""
    plugin = Entry(user.name, user.mapping("exec"), user.directory).text("command")
    provider = Entry(user.name, user.mapping("auth-provider"), user.directory).text("name")
    if plugin.rpartition("/")[2] == PLUGIN or provider == PROVIDER:
        return Who(authorization=account.header)
    if plugin:
        raise NoCluster(
            f"{user.name} wants the program {plugin}, which no function has: give it a token, or a"
            f" client certificate, or {PLUGIN} for GKE"
        )
    return None
