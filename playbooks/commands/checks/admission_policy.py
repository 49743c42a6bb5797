"""Does an admission policy hold the account to what its playbook needs? Asked in dry runs."""

from __future__ import annotations

from typing import Any, List, Mapping, Optional, Sequence

from playbooks.commands.checks.finding import FAILED, OK, UNKNOWN, WARNING, Finding
from playbooks.commands.checks.rights import user
from playbooks.core.cluster.manifest import Manifest, reference, shown
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.cluster.permissions import PREFIX
from playbooks.core.errors import NotPermitted
from playbooks.core.playbook import Playbook
from playbooks.deployment.apply import set_up
from playbooks.deployment.manifests import admission_policies
from playbooks.deployment.manifests.admission_policies import AdmissionPolicy

POLICY = "admission policy"

# One change that is ours, and one that is not. Neither is ever made.
_OURS = {"metadata": {"annotations": {f"{PREFIX}check": "dry-run"}}}
_OTHER = {"metadata": {"annotations": {"falco-check": "dry-run"}}}

_SET_UP = "an administrator has to run: ./deploy_playbook -S"


def look(
    cluster: ClusterObjects,
    namespace: str,
    account: str,
    playbook: Playbook,
    *,
    places: Sequence[str],
) -> List[Finding]:
    """Nothing for a playbook whose roles cannot be held any closer."""
    policies = admission_policies.of(playbook)
    if not policies:
        return []
    # Nodes belong to no namespace.
    where = [""] if playbook.reaction.TARGETS == "nodes" else [p or namespace for p in places]
    who = user(namespace, account)
    tried = next((each for each in policies if not each.changes.own), policies[0])
    return [_state(cluster, policies, account) or _tried(cluster, tried, account, who, where)]


def _state(
    cluster: ClusterObjects, policies: Sequence[AdmissionPolicy], account: str
) -> Optional[Finding]:
    """What is wrong with it before it is tried."""
    if not set_up.serves_policies(cluster):
        since = admission_policies.SINCE
        said = f"this API server has no admission policies: Kubernetes has them since {since}"
        return Finding(POLICY, WARNING, said)
    playbook = policies[0].playbook
    if not policies[0].is_about(account):
        own = f"falco-{playbook}"
        said = f"they cover the accounts {own} and {own}-*, and this one is {account}"
        return Finding(POLICY, WARNING, said, f"deploy it as -N {playbook}-NAME")
    wanted = [
        reference(admission_policies.API, kind, each.name)
        for each in policies
        for kind in admission_policies.KINDS
    ]
    there = [shown(found) for found in cluster.get(wanted)]
    missing = [shown(each) for each in wanted if shown(each) not in there]
    if missing:
        return Finding(POLICY, FAILED, f"there is no {', no '.join(missing)}", _SET_UP)
    return None


def _tried(
    cluster: ClusterObjects,
    policy: AdmissionPolicy,
    account: str,
    who: str,
    namespaces: Sequence[str],
) -> Finding:
    target = _target(cluster, policy.changes.resource, namespaces)
    if target is None:
        return Finding(POLICY, UNKNOWN, "it exists, but there is no object to test it with")
    refusal = _refusal(cluster, target, _OTHER, who)
    if refusal is None:
        said = f"{account} could change {shown(target)} in a way that its playbook never does"
        return Finding(POLICY, FAILED, said, _SET_UP)
    if f"'{policy.name}'" not in refusal:
        return _not_by_policy(refusal, account)
    refused = _refusal(cluster, target, _OURS, who)
    if refused is not None:
        said = f"{policy.name} also rejects what the playbook does: {refused}"
        return Finding(POLICY, FAILED, said, _SET_UP)
    said = f"{policy.name} rejects what the playbook never does, and nothing else"
    return Finding(POLICY, OK, said)


def _not_by_policy(refusal: str, account: str) -> Finding:
    if "impersonate" in refusal:
        return Finding(
            POLICY,
            UNKNOWN,
            "it exists, but you may not impersonate the account, which testing it takes",
            f"ask for the right to impersonate serviceaccounts/{account}",
        )
    return Finding(
        POLICY, UNKNOWN, f"it exists, but something else rejects the change first: {refusal}"
    )


def _target(
    cluster: ClusterObjects, resource: str, namespaces: Sequence[str]
) -> Optional[Manifest]:
    """Some object that the account may change, for dry runs."""
    return next((o for n in namespaces for o in cluster.list((resource,), namespace=n)), None)


def _refusal(
    cluster: ClusterObjects, target: Manifest, change: Mapping[str, Any], who: str
) -> Optional[str]:
    """In the API server's words, or None where it would have made the change."""
    try:
        cluster.patch(target, change, user=who, dry_run=True)
    except NotPermitted as error:
        return " ".join(str(error).split())
    return None
