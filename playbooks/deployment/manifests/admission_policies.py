"""What the API server holds our accounts to, beside their roles: Kubernetes 1.30 and later.

A role lets an account patch a pod or a node, whole. These policies let it change of them what its
playbook changes, so that a stolen token, or a bug, can do no more. They are about the accounts
``falco-<playbook>`` and ``falco-<playbook>-<anything>`` of any namespace, and about nobody else's
requests. Status and other subresources are in no role of ours; of those that take a pod or a node,
nothing may be changed either, should somebody grant them.
Source: https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Tuple

from playbooks.core.cluster.manifest import Manifest
from playbooks.core.cluster.permissions import PREFIX, Changes
from playbooks.core.playbook import Playbook
from playbooks.deployment.manifests.definitions import LABELS
from playbooks.deployment.request import catalogue

GROUP = "admissionregistration.k8s.io"
API = f"{GROUP}/v1"
POLICY, BINDING = KINDS = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
RESOURCE = "validatingadmissionpolicies"

#: The first Kubernetes that serves it.
SINCE = "1.30"


@dataclass(frozen=True)
class AdmissionPolicy:
    """What holds the accounts of one playbook to the changes of one resource that it declares."""

    playbook: str
    changes: Changes

    @property
    def name(self) -> str:
        return f"falco-playbook-{self.playbook}-{self.changes.resource}"

    def is_about(self, account: str) -> bool:
        """Whether it holds accounts of this name."""
        return bool(re.fullmatch(self._accounts, account))

    def manifests(self) -> List[Manifest]:
        """With its binding: without one, a policy holds nobody to anything."""
        metadata = {"name": self.name, "labels": LABELS}
        binding = {"policyName": self.name, "validationActions": ["Deny"]}
        return [
            {"apiVersion": API, "kind": POLICY, "metadata": metadata, "spec": self._spec()},
            {"apiVersion": API, "kind": BINDING, "metadata": metadata, "spec": binding},
        ]

    @property
    def _accounts(self) -> str:
        return f"falco-{self.playbook}(-[a-z0-9.-]+)?"

    def _spec(self) -> Dict[str, Any]:
        changes = self.changes
        account = f"^system:serviceaccount:[^:]+:{self._accounts}$"
        # Of an object that is there, subresources such as its status are held as well.
        resources = [changes.resource, *([] if changes.own else [f"{changes.resource}/*"])]
        rule = {
            "apiGroups": [changes.group],
            "apiVersions": ["*"],
            "operations": ["CREATE", "UPDATE", "DELETE"] if changes.own else ["UPDATE"],
            "resources": resources,
        }
        rules = [*([] if changes.own else _in_place(changes)), *changes.rules.items()]
        return {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [rule]},
            "matchConditions": [
                {
                    "name": f"account-of-{self.playbook}",
                    "expression": f"request.userInfo.username.matches('{account}')",
                }
            ],
            "variables": [] if changes.own else _VARIABLES,
            "validations": [
                {
                    "expression": expression,
                    "message": f"the {self.playbook} playbook {words}",
                    "reason": "Forbidden",
                }
                for expression, words in rules
            ],
        }


def of(playbook: Playbook) -> List[AdmissionPolicy]:
    """None for a playbook whose roles cannot be held any closer."""
    return [AdmissionPolicy(playbook.name, changes) for changes in playbook.reaction.CHANGES]


def policies() -> List[Manifest]:
    """Those of all playbooks."""
    known = [each for name in catalogue.names() for each in of(catalogue.load(name))]
    return [manifest for each in known for manifest in each.manifests()]


def _in_place(changes: Changes) -> Iterator[Tuple[str, str]]:
    """CEL, and what the playbook does while it holds."""
    an_object = f"a {changes.resource[:-1]}"
    but = f" but its {' and '.join(changes.spec)}" if changes.spec else ""
    yield _same_spec(changes.spec), f"changes nothing of {an_object}'s spec{but}"
    yield _same("?status"), f"changes nothing of {an_object}'s status"
    yield (
        f"{_same('metadata.?finalizers')} && {_same('metadata.?ownerReferences')}",
        f"changes neither finalizers nor owners of {an_object}",
    )
    if changes.takes_labels:
        words = f"takes labels off {an_object}, and gives it none but {PREFIX}*"
        yield _only_ours("labels", "after_labels"), words
    else:
        yield _same("metadata.?labels"), f"changes no labels of {an_object}"
    yield (
        _only_ours("annotations", "before_annotations", "after_annotations"),
        f"changes no annotations of {an_object} but {PREFIX}*",
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


def _only_ours(part: str, *where: str) -> str:
    """Of the keys that are there, before or after, only ours have another value, or none."""
    keys = " + ".join(f"variables.{each}.map(k, k)" for each in where)
    same = f"variables.before_{part}[?k] == variables.after_{part}[?k]"
    return f"({keys}).all(k, k.startsWith('{PREFIX}') || {same})"


# Labels and annotations as they were and as they become.
_VARIABLES = [
    {
        "name": f"{when}_{part}",
        "expression": f"{which}.metadata.?{part}.orValue({{}})",
    }
    for part in ("labels", "annotations")
    for when, which in (("before", "oldObject"), ("after", "object"))
]
