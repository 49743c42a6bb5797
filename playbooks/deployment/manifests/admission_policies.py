"""What the API server holds our accounts to, beside their roles: Kubernetes 1.30 and later.

A role lets an account patch a pod or a node, whole. These policies let it change of them what its
playbook changes, so that a stolen token, or a bug, can do no more. They are about the accounts
``falco-<playbook>`` and ``falco-<playbook>-<anything>`` of any namespace, and about nobody else's
requests.

``-S`` makes the policies, with a binding each that holds whatever the settings are. Deploying makes
a ConfigMap of the settings that the policies read, on which the account has no rights, and a
binding that makes it their parameter. Without that ConfigMap only the first binding holds: where a
parameter is missing, the API server would refuse the requests of everybody, not of the account.
Source: https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple

from playbooks.core import catalogue
from playbooks.core.chain.steps import GO_ON, STEPS
from playbooks.core.cluster.changes import DELETE, Changes, Rule, Texts
from playbooks.core.cluster.manifest import (
    FUNCTION,
    FUNCTION_NAMESPACE,
    MANAGED_BY,
    MANAGER,
    PREFIX,
    Manifest,
    label,
    labels,
    reference,
)
from playbooks.core.cluster.permissions import ACCOUNTS, listed
from playbooks.core.playbook import Playbook
from playbooks.core.settings import DNS_LABEL
from playbooks.deployment.manifests.changes import changes as changes_of
from playbooks.deployment.manifests.crds import LABELS
from playbooks.deployment.request import by_name
from playbooks.deployment.request.request import Request

GROUP = "admissionregistration.k8s.io"
API = f"{GROUP}/v1"
POLICY, BINDING = KINDS = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
RESOURCE = "validatingadmissionpolicies"
BINDINGS = f"validatingadmissionpolicybindings.{GROUP}"

#: The first Kubernetes that serves it.
SINCE = "1.30"

#: On every ConfigMap of settings: the playbook whose policies read it.
PARAMETERS = "falco/admission"


@dataclass(frozen=True)
class AdmissionPolicy:
    """What holds the accounts of one playbook to the changes of one resource that it declares."""

    playbook: str
    changes: Changes

    @property
    def name(self) -> str:
        only_deletes = self.changes.operations == (DELETE,)
        named = self.changes.named or self.changes.resource.replace("/", "-")
        resource = f"{named}{'-delete' * only_deletes}"
        return f"falco-playbook-{self.playbook}-{resource}"

    @property
    def settings(self) -> Tuple[str, ...]:
        """Those that its rules read."""
        of_steps = [n for _, each in self._steps for rule in each.rules for n in rule.settings]
        chosen = [STEPS.name] if self._steps else []
        own = [n for rule in self.rules for n in rule.settings]
        return tuple(dict.fromkeys((*chosen, *of_steps, *own)))

    @property
    def rules(self) -> List[Rule]:
        """All of them, also those that every change in place is held to."""
        if not self.changes.of_steps:
            return [*_in_place(self.changes), *self.changes.rules]
        return [*self._of_steps(), *self.changes.rules]

    @property
    def _steps(self) -> List[Tuple[str, AdmissionPolicy]]:
        return [(name, AdmissionPolicy(name, changes)) for name, changes in self.changes.of_steps]

    def _of_steps(self) -> Iterator[Rule]:
        """What all steps are held to, each rule by itself; and that a request is one of a step's
        that is listed, where the settings are known."""
        of_each = [each.rules for _, each in self._steps]
        shared = [r for r in of_each[0] if all(r.cel in [s.cel for s in o] for o in of_each[1:])]
        yield from shared
        known = {rule.cel for rule in shared}
        ways = []
        for (name, _), rules in zip(self._steps, of_each):
            own = [f"({_asked(rule)})" for rule in rules if rule.cel not in known]
            ways.append(" && ".join((_is_listed(name), *own)))
        yield Rule(
            f"changes {self.changes.resource} as one of its steps does",
            " || ".join(f"({way})" for way in ways),
        )

    def allowed(self, target: Manifest, texts: Texts) -> Optional[Manifest]:
        """A request about an object that the playbook makes; None where none is known."""
        for name, each in self._steps:
            if name in listed(texts.get(STEPS.name, "")):
                return each.allowed(target, texts)
        if self.changes.allowed:
            return self.changes.allowed(target, texts)
        if not self.changes.in_place:
            return None
        return {"metadata": {"annotations": {f"{PREFIX}check": "dry-run"}}}

    def is_about(self, account: str) -> bool:
        """Whether it holds accounts of this name."""
        return bool(re.fullmatch(self._accounts, account))

    def manifests(self) -> List[Manifest]:
        """With its binding: without one, a policy holds nobody to anything."""
        metadata = {"name": self.name, "labels": LABELS}
        return [
            {"apiVersion": API, "kind": POLICY, "metadata": metadata, "spec": self._spec()},
            {"apiVersion": API, "kind": BINDING, "metadata": metadata, "spec": self._binding()},
        ]

    def bound(self, function: str, namespace: str) -> Manifest:
        """The binding that makes the settings of one function its parameters."""
        parameters = {
            "name": parameters_name(function),
            "namespace": namespace,
            "parameterNotFoundAction": "Allow",
        }
        return {
            "apiVersion": API,
            "kind": BINDING,
            "metadata": {
                "name": f"{self.name}.{function}.{namespace}",
                "labels": {**labels(function), FUNCTION_NAMESPACE: namespace},
            },
            "spec": {**self._binding(), "paramRef": parameters},
        }

    @property
    def _accounts(self) -> str:
        return f"falco-{self.playbook}(-[a-z0-9.-]+)?"

    def _binding(self) -> Dict[str, Any]:
        return {"policyName": self.name, "validationActions": ["Deny"]}

    def _spec(self) -> Dict[str, Any]:
        changes = self.changes
        # Of an object that is there, subresources such as its status are held as well.
        resources = [changes.resource, *([f"{changes.resource}/*"] if changes.in_place else [])]
        rules = [
            {
                "apiGroups": [group],
                "apiVersions": ["*"],
                "operations": list(changes.operations),
                "resources": found,
            }
            for group, found in (
                (changes.group, resources),
                *((group, [resource]) for resource, group in changes.further),
            )
        ]
        with_parameters = {"paramKind": {"apiVersion": "v1", "kind": "ConfigMap"}}
        return {
            **(with_parameters if self.settings else {}),
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": rules},
            "matchConditions": list(self._conditions()),
            "variables": _VARIABLES if changes.in_place else [],
            "validations": [
                {
                    "expression": _asked(rule),
                    "message": f"the {self.playbook} playbook {rule.says}",
                    "reason": "Forbidden",
                }
                for rule in self.rules
            ],
        }

    def _conditions(self) -> Iterator[Dict[str, str]]:
        user = "request.userInfo.username"
        account = f"^{ACCOUNTS}[^:]+:{self._accounts}$"
        yield {"name": f"account-of-{self.playbook}", "expression": f"{user}.matches('{account}')"}
        if self.settings:
            # Of the ConfigMap's own namespace only: who may write it reaches no other account.
            whose = (
                f"'{ACCOUNTS}' + params.metadata.namespace + ':'"
                f" + params.metadata.labels['{FUNCTION}']"
            )
            yield {
                "name": "account-of-these-settings",
                "expression": f"params == null || {user} == {whose}",
            }


def of(playbook: Playbook) -> List[AdmissionPolicy]:
    """None for a playbook whose roles cannot be held any closer."""
    return [AdmissionPolicy(playbook.name, changes) for changes in changes_of(playbook)]


def policies() -> List[Manifest]:
    """Those of all playbooks."""
    known = [each for name in catalogue.names() for each in of(by_name.load(name))]
    return [manifest for each in known for manifest in each.manifests()]


def parameters_name(function: str) -> str:
    return f"{function}-admission"


def parameters(request: Request, namespace: str, texts: Mapping[str, str]) -> List[Manifest]:
    """The ConfigMap of the settings that the policies of a function read.

    ``texts``: what is known of settings that come from Secrets; one that is unknown is left out,
    and so are the rules that read it. None for a playbook without such settings.
    """
    read = {name for each in of(request.playbook) for name in each.settings}
    if not read:
        return []
    given = {**request.values, **texts}
    unknown = {reference.name for reference in request.references} - set(texts)
    data = {
        setting.name: _text(setting.check(given.get(setting.name, setting.default or "")))
        for setting in request.playbook.settings
        if setting.name in read - unknown
    }
    metadata = {
        "name": parameters_name(request.function),
        "namespace": namespace,
        "labels": {**labels(request.function), PARAMETERS: request.playbook.name},
    }
    return [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}]


@dataclass(frozen=True)
class Bound:
    """What is known of the cluster where the settings of a function are bound to the policies.

    ``allowed``: whether bindings can be made. ``before``: what an earlier deployment has as
    settings, None where there is none.
    """

    allowed: bool = False
    before: Optional[Mapping[str, str]] = None


def beside(
    request: Request, namespace: str, bound: Bound, texts: Mapping[str, str]
) -> List[Manifest]:
    """What lies beside one function. Its workers of before are at work too: of the settings only
    those that stay the same are there, until ``parameters`` are written afterwards."""
    made, before = parameters(request, namespace, texts), bound.before
    if before is not None:
        made = [
            {**m, "data": {k: v for k, v in m["data"].items() if before.get(k) == v}} for m in made
        ]
    if bound.allowed:
        made += bindings(request.playbook, request.function, namespace)
    return made


def earlier(function: str, namespace: str) -> Manifest:
    """What another deployment of the function may have left of it, beside bindings."""
    return reference("v1", "ConfigMap", parameters_name(function), namespace)


def of_parameters(found: Manifest) -> List[Manifest]:
    """The bindings for a ConfigMap of settings that is there, with its labels, by which they are
    removed; none for one of no playbook, or of what no function is called: whoever may write
    ConfigMaps wrote it, and an object that nobody can make would keep ``-S`` from ending."""
    playbook, function = by_name.find(label(found, PARAMETERS) or ""), label(found, FUNCTION) or ""
    if playbook is None or not DNS_LABEL.fullmatch(function):
        return []
    namespace = found["metadata"]["namespace"]
    made = bindings(playbook, function, namespace)
    if label(found, MANAGED_BY) != MANAGER:
        return made
    ours = {MANAGED_BY: MANAGER, FUNCTION: function, FUNCTION_NAMESPACE: namespace}
    return [{**each, "metadata": {**each["metadata"], "labels": ours}} for each in made]


def bindings(playbook: Playbook, function: str, namespace: str) -> List[Manifest]:
    """Those of one function, where the policies are about its account."""
    return [
        each.bound(function, namespace)
        for each in of(playbook)
        if each.settings and each.is_about(function)
    ]


def _text(value: Any) -> str:
    """A typed value in one way only, however it was written."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return "off" if value is None else str(value)


def _asked(rule: Rule) -> str:
    """CEL: a rule that reads settings holds where these are known."""
    if not rule.settings:
        return rule.cel
    known = " && ".join(f"'{name}' in params.data" for name in rule.settings)
    return f"params == null || !({known}) || ({rule.cel})"


def _is_listed(step: str) -> str:
    """CEL: whether it is a step of the chain, where that is known."""
    steps = f"params.data.{STEPS.name}.replace('{GO_ON}', '').split(',')"
    return f"(params == null || !('{STEPS.name}' in params.data) || '{step}' in {steps})"


def _in_place(changes: Changes) -> Iterator[Rule]:
    if not changes.in_place:
        return
    an_object = f"a {changes.resource[:-1]}"
    but = f" but its {' and '.join(changes.spec)}" if changes.spec else ""
    yield Rule(f"changes nothing of {an_object}'s spec{but}", _same_spec(changes.spec))
    yield Rule(f"changes nothing of {an_object}'s status", _same("?status"))
    yield Rule(
        f"changes neither finalizers nor owners of {an_object}",
        f"{_same('metadata.?finalizers')} && {_same('metadata.?ownerReferences')}",
        broken_by=lambda *_: {"metadata": {"finalizers": ["falco-check/dry-run"]}},
    )
    if not changes.labels:
        yield Rule(
            f"changes no labels of {an_object}",
            _same("metadata.?labels"),
            broken_by=lambda *_: {"metadata": {"labels": {"falco-check": "dry-run"}}},
        )
    if not changes.annotations:
        yield Rule(
            f"changes no annotations of {an_object} but {PREFIX}*",
            _only_ours("annotations"),
            broken_by=lambda *_: {"metadata": {"annotations": {"falco-check": "dry-run"}}},
        )


def _same(path: str) -> str:
    return f"object.{path} == oldObject.{path}"


def _same_spec(but: Tuple[str, ...]) -> str:
    if not but:
        return "object.spec == oldObject.spec"
    # A spec has no fields that CEL can list unless it is taken for a map.
    after, before = "dyn(object.spec)", "dyn(oldObject.spec)"
    fields = f"({after}.map(k, k) + {before}.map(k, k))"
    named = " || ".join(f"k == '{field}'" for field in but)
    return f"{fields}.all(k, {named} || {before}[?k] == {after}[?k])"


def _only_ours(part: str) -> str:
    """Of the keys that are there, before or after, only ours have another value, or none."""
    keys = " + ".join(f"variables.{when}_{part}.map(k, k)" for when in ("before", "after"))
    same = f"variables.before_{part}[?k] == variables.after_{part}[?k]"
    return f"({keys}).all(k, k.startsWith('{PREFIX}') || {same})"


# Labels and annotations as they were and as they become.
_VARIABLES = [
    {"name": f"{when}_{part}", "expression": f"{which}.metadata.?{part}.orValue({{}})"}
    for part in ("labels", "annotations")
    for when, which in (("before", "oldObject"), ("after", "object"))
]
