"""Does an admission policy hold the account to what its playbook needs? Asked in dry runs."""

from __future__ import annotations

from typing import Any, List, Mapping, Optional, Sequence

from playbooks.commands.checks.finding import FAILED, OK, UNKNOWN, WARNING, Finding
from playbooks.commands.checks.rights import user
from playbooks.commands.cluster import Cluster
from playbooks.core.cluster.manifest import Manifest, reference, shown
from playbooks.deployment.apply import set_up
from playbooks.deployment.kubectl import Forbidden
from playbooks.deployment.manifests import admission_policies

POLICY = "admission policy"

# One change that is ours, and one that is not. Neither is ever made.
_OURS = {"metadata": {"annotations": {f"{admission_policies.PREFIX}check": "dry-run"}}}
_OTHER = {"metadata": {"annotations": {"falco-check": "dry-run"}}}

_SET_UP = "an administrator has to run: ./deploy_playbook -S"


def look(
    cluster: Cluster, namespace: str, account: str, playbook: str, *, places: Sequence[str]
) -> List[Finding]:
    """Nothing for a playbook whose roles cannot be held any closer."""
    held = admission_policies.held(playbook)
    if not held:
        return []
    return [_state(cluster, held, account) or _tried(cluster, held[0], namespace, account, places)]


def _state(
    cluster: Cluster, held: Sequence[admission_policies.Held], account: str
) -> Optional[Finding]:
    """What is wrong with it before it is tried."""
    if not set_up.serves_policies(cluster):
        since = admission_policies.SINCE
        said = f"this API server has no admission policies: Kubernetes has them since {since}"
        return Finding(POLICY, WARNING, said)
    if not held[0].holds(account):
        own = f"falco-{held[0].playbook}"
        said = f"they cover the accounts {own} and {own}-*, and this one is {account}"
        return Finding(POLICY, WARNING, said, f"deploy it as -N {held[0].playbook}-NAME")
    wanted = [
        reference(admission_policies.API, kind, each.name)
        for each in held
        for kind in admission_policies.KINDS
    ]
    there = [shown(found) for found in cluster.get(wanted)]
    missing = [shown(each) for each in wanted if shown(each) not in there]
    if missing:
        return Finding(POLICY, FAILED, f"there is no {', no '.join(missing)}", _SET_UP)
    return None


def _tried(
    cluster: Cluster,
    held: admission_policies.Held,
    namespace: str,
    account: str,
    places: Sequence[str],
) -> Finding:
    target = _target(cluster, held, [place or namespace for place in places])
    if target is None:
        return Finding(POLICY, UNKNOWN, "it exists, but there is no object to test it with")
    who = user(namespace, account)
    refusal = _refusal(cluster, target, _OTHER, who)
    if refusal is None:
        said = f"{account} could change {shown(target)} in a way that its playbook never does"
        return Finding(POLICY, FAILED, said, _SET_UP)
    if f"'{held.name}'" not in refusal:
        return _not_by_policy(refusal, account)
    refused = _refusal(cluster, target, _OURS, who)
    if refused is not None:
        return Finding(
            POLICY, FAILED, f"{held.name} also rejects what the playbook does: {refused}", _SET_UP
        )
    return Finding(
        POLICY, OK, f"{held.name} rejects what the playbook never does, and nothing else"
    )


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
    cluster: Cluster, held: admission_policies.Held, namespaces: Sequence[str]
) -> Optional[Manifest]:
    """Some object that the account may change, for dry runs."""
    resource = (held.resources[0],)
    if held.playbook == "taint":
        return next(iter(cluster.list(resource)), None)
    return next((pod for n in namespaces for pod in cluster.list(resource, namespace=n)), None)


def _refusal(
    cluster: Cluster, target: Manifest, change: Mapping[str, Any], who: str
) -> Optional[str]:
    """In the API server's words, or None where it would have made the change."""
    try:
        cluster.patch(target, change, user=who, dry_run=True)
    except Forbidden as error:
        return " ".join(str(error).split())
    return None
