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
from typing import Any, Dict, List, Mapping, Tuple

from playbooks.core.cluster.manifest import Manifest
from playbooks.core.cluster.network_policy import LABEL
from playbooks.deployment.manifests.definitions import LABELS

GROUP = "admissionregistration.k8s.io"
API = f"{GROUP}/v1"
POLICY, BINDING = KINDS = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
RESOURCE = "validatingadmissionpolicies"

#: The first Kubernetes that serves it.
SINCE = "1.30"

# Labels, annotations and taints of ours begin with this.
PREFIX = "falco/"


@dataclass(frozen=True)
class Held:
    """What one playbook's account may do to one resource: ``rules`` are CEL and its words."""

    playbook: str
    group: str
    resources: Tuple[str, ...]
    operations: Tuple[str, ...]
    variables: Mapping[str, str]
    rules: Mapping[str, str]

    @property
    def name(self) -> str:
        return f"falco-playbook-{self.playbook}-{self.resources[0]}"

    def holds(self, account: str) -> bool:
        """Whether it is about accounts of this name."""
        return bool(re.fullmatch(_names(self.playbook), account))


def _pods() -> Held:
    return Held(
        "isolate",
        "",
        ("pods", "pods/*"),
        ("UPDATE",),
        {**_before_and_after("labels"), **_before_and_after("annotations")},
        {
            "object.spec == oldObject.spec": "the isolate playbook changes nothing of a pod's spec",
            _same("?status"): "the isolate playbook changes nothing of a pod's status",
            _OWNED: "the isolate playbook changes neither finalizers nor owners of a pod",
            _changed("labels", "after_labels"): (
                f"the isolate playbook takes labels off a pod, and gives it none but {PREFIX}*"
            ),
            _changed("annotations", "before_annotations", "after_annotations"): (
                f"the isolate playbook changes no annotations of a pod but {PREFIX}*"
            ),
        },
    )


def _network_policies() -> Held:
    prefix = "falco-isolate-"
    labels = "object.spec.podSelector.?matchLabels.orValue({})"
    uid = f"request.name.substring({len(prefix)})"
    return Held(
        "isolate",
        "networking.k8s.io",
        ("networkpolicies",),
        ("CREATE", "UPDATE", "DELETE"),
        {},
        {
            f"request.name.startsWith('{prefix}')": (
                f"the isolate playbook changes no NetworkPolicy but {prefix}<uid>"
            ),
            # What is deleted has no object.
            f"object == null || {labels} == {{'{LABEL}': {uid}}}": (
                "the isolate playbook's NetworkPolicy selects the pod for which it is named"
            ),
        },
    )


def _nodes() -> Held:
    """Which key TAINT_KEY names is not known here: taints of any key may be added, and those of
    ours alone changed or removed."""
    foreign = f"variables.before_taints.filter(t, !t.key.startsWith('{PREFIX}'))"
    spec, spec_before = "dyn(object.spec)", "dyn(oldObject.spec)"
    fields = f"({spec}.map(k, k) + {spec_before}.map(k, k))"
    return Held(
        "taint",
        "",
        ("nodes", "nodes/*"),
        ("UPDATE",),
        {
            **_before_and_after("annotations"),
            "before_taints": "oldObject.spec.?taints.orValue([])",
            "after_taints": "object.spec.?taints.orValue([])",
        },
        {
            f"{fields}.all(k, k == 'taints' || {spec_before}[?k] == {spec}[?k])": (
                "the taint playbook changes nothing of a node's spec but its taints"
            ),
            f"{foreign}.all(t, t in variables.after_taints)": (
                f"the taint playbook adds taints to a node, and changes or removes none but"
                f" {PREFIX}*"
            ),
            _same("?status"): "the taint playbook changes nothing of a node's status",
            _OWNED: "the taint playbook changes neither finalizers nor owners of a node",
            _same("metadata.?labels"): "the taint playbook changes no labels of a node",
            _changed("annotations", "before_annotations", "after_annotations"): (
                f"the taint playbook changes no annotations of a node but {PREFIX}*"
            ),
        },
    )


def _same(path: str) -> str:
    return f"object.{path} == oldObject.{path}"


_OWNED = f"{_same('metadata.?finalizers')} && {_same('metadata.?ownerReferences')}"


def _before_and_after(part: str) -> Dict[str, str]:
    """Variables: the labels, or the annotations, as they were and as they become."""
    return {
        f"before_{part}": f"oldObject.metadata.?{part}.orValue({{}})",
        f"after_{part}": f"object.metadata.?{part}.orValue({{}})",
    }


def _changed(part: str, *where: str) -> str:
    """Of the keys that are there, before or after, only ours have another value, or none."""
    keys = " + ".join(f"variables.{each}.map(k, k)" for each in where)
    same = f"variables.before_{part}[?k] == variables.after_{part}[?k]"
    return f"({keys}).all(k, k.startsWith('{PREFIX}') || {same})"


HELD = (_pods(), _network_policies(), _nodes())


def held(playbook: str) -> List[Held]:
    return [each for each in HELD if each.playbook == playbook]


def policies() -> List[Manifest]:
    """Each with its binding: without one, a policy holds nobody to anything."""
    return [manifest for each in HELD for manifest in (_policy(each), _binding(each))]


def _policy(each: Held) -> Manifest:
    account = f"^system:serviceaccount:[^:]+:{_names(each.playbook)}$"
    rule: Dict[str, Any] = {
        "apiGroups": [each.group],
        "apiVersions": ["*"],
        "operations": list(each.operations),
        "resources": list(each.resources),
    }
    return {
        "apiVersion": API,
        "kind": POLICY,
        "metadata": {"name": each.name, "labels": LABELS},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [rule]},
            "matchConditions": [
                {
                    "name": f"account-of-{each.playbook}",
                    "expression": f"request.userInfo.username.matches('{account}')",
                }
            ],
            "variables": [{"name": n, "expression": text} for n, text in each.variables.items()],
            "validations": [
                {"expression": expression, "message": message, "reason": "Forbidden"}
                for expression, message in each.rules.items()
            ],
        },
    }


def _binding(each: Held) -> Manifest:
    return {
        "apiVersion": API,
        "kind": BINDING,
        "metadata": {"name": each.name, "labels": LABELS},
        "spec": {"policyName": each.name, "validationActions": ["Deny"]},
    }


def _names(playbook: str) -> str:
    return f"falco-{playbook}(-[a-z0-9.-]+)?"
