"""Do the admission policies hold the account to what its playbook needs? Each of their rules is
tried in dry runs, as the account: with a request that it refuses, and with one that it allows."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Iterator, List, Mapping, Optional, Sequence, Tuple

from playbooks.commands.checks.finding import FAILED, OK, UNKNOWN, WARNING, Finding
from playbooks.commands.checks.serving import Checked
from playbooks.core import catalogue
from playbooks.core.cluster.changes import ACCOUNT, Rule
from playbooks.core.cluster.manifest import Manifest, reference, shown
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.cluster.permissions import account as user_of
from playbooks.core.errors import NotPermitted, PlaybookError
from playbooks.deployment.apply import preflight, set_up
from playbooks.deployment.manifests import admission_policies
from playbooks.deployment.manifests import ledger as ledgers
from playbooks.deployment.manifests.admission_policies import AdmissionPolicy
from playbooks.deployment.manifests.changes import OF_THE_LEDGER
from playbooks.deployment.terminal import one_line

POLICY = "admission policy"

_SET_UP = "an administrator has to run: ./deploy_playbook -S"

# Objects with which an allowed request is tried, at most.
_MOST = 5

# Every cluster has pods there, and it is one of PROTECTED_NAMESPACES by default.
_PROTECTED = "kube-system"


def look(checked: Checked) -> List[Finding]:
    """Nothing for a playbook whose roles cannot be held any closer."""
    cluster, namespace, account = checked.cluster, checked.namespace, checked.function
    policies = admission_policies.of(checked.playbook)
    if not policies:
        return []
    who, places = checked.who, checked.places
    if who:
        said = f"they hold service accounts, and it is {who['kind']} {who['name']}: its roles alone"
        return [Finding(POLICY, WARNING, f"{said} limit it")]
    found = _state(cluster, policies, account)
    if found:
        return [found]
    settings, unbound = _settings(cluster, policies, namespace, account)
    texts = {**settings, ACCOUNT: user_of(namespace, account)}
    ledger = ledgers.place(checked.environment, account, namespace)
    near = [place or namespace for place in places]
    tried = _Tried(cluster, account, texts, near, ledger, everywhere="" in places)
    served = [each for each in policies if _is_served(cluster, each)]
    for policy in served:
        tried.policy(policy)
    return [tried.finding(len(served)), *unbound]


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
    missing = _missing(cluster, wanted)
    if missing:
        typed = catalogue.typed(playbook)
        # One that -S knows by its file alone.
        also = f" -p {typed}" if typed != playbook else ""
        return Finding(POLICY, FAILED, f"there is no {', no '.join(missing)}", f"{_SET_UP}{also}")
    return None


def _settings(
    cluster: ClusterObjects, policies: Sequence[AdmissionPolicy], namespace: str, account: str
) -> Tuple[Mapping[str, str], List[Finding]]:
    """Those that the policies read, and what is wrong where they read none."""
    wanted = [each.bound(account, namespace) for each in policies if each.settings]
    if not wanted:
        return {}, []
    name = admission_policies.parameters_name(account)
    place = reference("v1", "ConfigMap", name, namespace)
    found = cluster.get([place])
    missing = _missing(cluster, wanted) if found else [shown(place)]
    if missing:
        said = f"they do not hold it to its settings: there is no {', no '.join(missing)}"
        return {}, [Finding(POLICY, WARNING, said, f"deploy it again, or {_SET_UP}")]
    return found[0].get("data") or {}, []


def _is_served(cluster: ClusterObjects, policy: AdmissionPolicy) -> bool:
    """Whether there can be objects that it is about."""
    return not policy.changes.optional or policy.changes.group in preflight.groups(cluster)


def _missing(cluster: ClusterObjects, wanted: Sequence[Manifest]) -> List[str]:
    there = [shown(found) for found in cluster.get(wanted)]
    return [shown(each) for each in wanted if shown(each) not in there]


@dataclass
class _Tried:
    """What became of the dry runs. ``everywhere``: where ``namespaces`` have no object to try with,
    one of any other is taken. ``untried``: rules that there is no object to try with."""

    cluster: ClusterObjects
    account: str
    texts: Mapping[str, str]
    namespaces: Sequence[str]
    ledger: Tuple[str, str]
    everywhere: bool = False
    rules: int = 0
    failed: List[str] = field(default_factory=list)
    unclear: List[str] = field(default_factory=list)
    untried: List[str] = field(default_factory=list)

    def policy(self, policy: AdmissionPolicy) -> None:
        targets = self._targets(policy, [*self.namespaces, _PROTECTED])
        reached = self._reached(policy, targets)
        if not reached and self.everywhere:
            # Who checks may be allowed to list those of some namespaces only.
            with suppress(NotPermitted):
                targets = self._targets(policy, [""])
                reached = self._reached(policy, targets)
        for rule in policy.rules:
            self._rule(policy, rule, targets, reached)
        self._allowed(policy, reached)

    def finding(self, policies: int) -> Finding:
        if self.failed:
            return Finding(POLICY, FAILED, "; ".join(self.failed), _SET_UP)
        if any("impersonate" in each for each in self.unclear):
            return Finding(
                POLICY,
                UNKNOWN,
                "it exists, but you may not impersonate the account, which testing it takes",
                f"ask for the right to impersonate serviceaccounts/{self.account}",
            )
        if self.unclear:
            said = f"it exists, but something else rejects the change first: {self.unclear[0]}"
            return Finding(POLICY, UNKNOWN, said)
        if not self.rules:
            return Finding(POLICY, UNKNOWN, "it exists, but there is no object to test it with")
        left = f"; {len(self.untried)} more found no object to be tried with" * bool(self.untried)
        said = f"{policies} policies reject what the playbook never does, and nothing else"
        return Finding(POLICY, OK, f"{said} ({self.rules} rules tried{left})")

    def _rule(
        self,
        policy: AdmissionPolicy,
        rule: Rule,
        targets: Sequence[Manifest],
        reached: Sequence[Manifest],
    ) -> None:
        if any(name not in self.texts for name in rule.settings):
            return
        if rule.broken_by is None and rule.forbids is None:
            return
        asked = next(self._breaking(policy, rule, targets, reached), None)
        if asked is None:
            self.untried.append(rule.says)
            return
        self.rules += 1
        refusal = self._refusal(policy, *asked)
        if refusal is None:
            self.failed.append(
                f"{self.account} could do to {shown(asked[0])} what its playbook never does:"
                f" it {rule.says}"
            )
        elif not _by(policy, refusal) and not _by_role(refusal):
            self.unclear.append(refusal)

    def _breaking(
        self,
        policy: AdmissionPolicy,
        rule: Rule,
        targets: Sequence[Manifest],
        reached: Sequence[Manifest],
    ) -> Iterator[Tuple[Manifest, Manifest]]:
        if rule.forbids:
            where = [t for t in targets if rule.forbids(_namespace(t), self.texts)]
            found = ((each, policy.allowed(each, self.texts)) for each in where)
        else:
            assert rule.broken_by is not None
            broken_by = rule.broken_by
            found = ((each, broken_by(each, self.texts)) for each in reached)
        return ((target, body) for target, body in found if body is not None)

    def _allowed(self, policy: AdmissionPolicy, reached: Sequence[Manifest]) -> None:
        refusals = []
        for target in reached[:_MOST]:
            body = policy.allowed(target, self.texts)
            refusal = self._refusal(policy, target, body) if body is not None else None
            if refusal is None or not _by(policy, refusal):
                return
            refusals.append(refusal)
        if refusals:
            self.failed.append(f"{policy.name} also rejects what the playbook does: {refusals[0]}")

    def _forbidden(self, policy: AdmissionPolicy, target: Manifest) -> bool:
        known = [r for r in policy.rules if r.forbids and set(r.settings) <= set(self.texts)]
        return any(r.forbids and r.forbids(_namespace(target), self.texts) for r in known)

    def _reached(self, policy: AdmissionPolicy, targets: Sequence[Manifest]) -> List[Manifest]:
        return [each for each in targets if not self._forbidden(policy, each)]

    def _targets(self, policy: AdmissionPolicy, places: Sequence[str]) -> List[Manifest]:
        """Objects that the account may change, for dry runs."""
        if policy.changes is OF_THE_LEDGER:
            namespace, name = self.ledger
            return self.cluster.get([reference("v1", "ConfigMap", name, namespace)])
        resource = policy.changes.asked_of or policy.changes.resource
        if resource == "nodes":
            # They belong to no namespace.
            places = [""]
        group = "" if policy.changes.asked_of else policy.changes.group
        name = f"{resource}.{group}" if group else resource
        return [
            found
            for place in dict.fromkeys(places)
            for found in self.cluster.list((name,), namespace=place)
        ]

    def _refusal(self, policy: AdmissionPolicy, target: Manifest, body: Manifest) -> Optional[str]:
        """In the API server's words, or None where it would have made the change."""
        operation = policy.changes.operations[0]
        part = policy.changes.resource.partition("/")[2]
        try:
            self.cluster.try_as(self.texts[ACCOUNT], operation, target, body, subresource=part)
        except NotPermitted as error:
            return one_line(error)
        except PlaybookError as error:
            # It exists already, or changed meanwhile: no policy refused it, and nothing allowed it.
            return f"{type(error).__name__}: {one_line(error)}"
        return None


def _by(policy: AdmissionPolicy, refusal: str) -> bool:
    return f"'{policy.name}'" in refusal


def _by_role(refusal: str) -> bool:
    """Whether the account has no such right at all, which holds it as well."""
    return " cannot " in refusal and "impersonate" not in refusal


def _namespace(target: Manifest) -> str:
    return str(target["metadata"].get("namespace", ""))
