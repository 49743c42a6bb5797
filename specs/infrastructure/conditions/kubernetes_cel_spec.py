"""Kubernetes' own CEL holds what docs/conditions.md says: the same conditions, evaluated by a real
API server in a policy that warns, about one ConfigMap of a namespace of its own."""

import json
import re
import subprocess

from expects import be_above, equal, expect
from mamba import after, before, description, it

from playbooks.infrastructure.conditions.cel import condition
from specs.support.cluster.real_cluster import (
    a_name,
    a_namespace,
    cleaned_up,
    create,
    delete,
    delete_namespace,
)
from specs.support.conditions import CLUSTER, not_run_unless
from specs.support.conditions_page import ALERT, FIELDS, POD, rows
from specs.support.processes import eventually

# Beside those of the page: what implementations of CEL do differently.
MORE = (
    'fields["proc.pid"] != "4711"',
    '!(fields["proc.pid"] in [4711])',
    '!(fields["proc.pid"] in [1, 2])',
    'fields["proc.name"] == 5 || true',
    'fields["gone"] == "x" || alert.source == "syscall"',
    'fields["gone"] == "x" && alert.source == "k8s_audit"',
    'fields["gone"] == "x" && alert.source == "syscall"',
    '!(fields["gone"] == "x")',
    'fields["proc.name"] > 3',
    'fields["proc.pid"].startsWith("4")',
    'alert.tags.exists(t, t == fields["gone"]) || true',
    'alert.tags.all(t, t.matches("^[a-zT0-9]+$"))',
    '"é".size() == 1',
    'ip("10.1.2.3") == ip(fields["fd.rip"])',
    'isIP("::ffff:10.1.2.3") || isIP("010.1.2.3") || isIP("fe80::1%eth0")',
    'cidr("10.0.0.1/8").containsIP("10.200.0.1")',
    'cidr("2001:db8::/32").containsIP(fields["fd.rip"])',
    'alert.time.getDayOfWeek() == 5 && alert.time.getMinutes("Asia/Kolkata") == 30',
)


def given():
    """The variables of the policy: what a condition is told."""
    any_of = ", ".join(f"{json.dumps(key)}: dyn({json.dumps(v)})" for key, v in FIELDS.items())
    labels = json.dumps(POD.labels)
    return {
        "alert": f'{{"rule": dyn({json.dumps(ALERT.rule)}), "priority": dyn("{ALERT.priority}"),'
        f' "source": dyn("{ALERT.source}"), "hostname": dyn("{ALERT.hostname}"),'
        f' "tags": dyn({json.dumps(list(ALERT.tags))}), "time": dyn(timestamp("{ALERT.time}"))}}',
        "fields": f"{{{any_of}}}",
        "pod": f'{{"namespace": dyn("{POD.namespace}"), "labels": dyn({labels}),'
        f' "owner": dyn({{"kind": "{POD.owner.kind}", "name": "{POD.owner.name}"}}),'
        f' "images": dyn({json.dumps(list(POD.images))})}}',
    }


def as_variables(text):
    return re.sub(r'(?<![\w."])(alert|fields|pod)(?=[.\[]|\b(?!"))', r"variables.\1", text)


with description("Kubernetes' CEL") as self:
    with before.all:
        self.name, self.namespace = a_name(), a_namespace()
        self.conditions = [*(text for text, _ in rows("conditions")), *MORE]
        of_us = {"matchLabels": {"kubernetes.io/metadata.name": self.namespace}}
        rule = {
            "apiGroups": [""],
            "apiVersions": ["v1"],
            "operations": ["CREATE"],
            "resources": ["configmaps"],
        }
        spec = {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [rule], "namespaceSelector": of_us},
            "variables": [{"name": name, "expression": cel} for name, cel in given().items()],
            "validations": [
                {"expression": as_variables(text), "message": f"condition {number} is false"}
                for number, text in enumerate(self.conditions)
            ],
        }
        binding = {"policyName": self.name, "validationActions": ["Warn"]}
        api = "admissionregistration.k8s.io/v1"
        for kind, what in (
            ("ValidatingAdmissionPolicy", spec),
            ("ValidatingAdmissionPolicyBinding", binding),
        ):
            cleaned_up(self.name, kind)
            metadata = {"name": self.name}
            create({"apiVersion": api, "kind": kind, "metadata": metadata, "spec": what})
        self.warnings = eventually(lambda: warnings(self.namespace) or False, 20)

    with after.all:
        for kind in ("ValidatingAdmissionPolicyBinding", "ValidatingAdmissionPolicy"):
            delete(kind, self.name)
        delete_namespace(self.namespace)

    def says(self, number, text):
        """True, false, or None where it is an error."""
        if f"condition {number} is false" in self.warnings:
            return False
        error = f"expression '{as_variables(text)}' resulted in error"
        return None if error in self.warnings else True

    with it("holds each condition of the page as it is held here"):
        found = [(text, self.says(n, text)) for n, text in enumerate(self.conditions)]
        ours = [(text, condition(text).judge(ALERT, POD).holds) for text in self.conditions]

        expect(len(found)).to(be_above(35))
        expect(found).to(equal(ours))


def warnings(namespace):
    words = ("create", "configmap", "x", "-n", namespace, "--dry-run=server")
    done = subprocess.run(["kubectl", *words], capture_output=True, text=True, check=False)
    return done.stderr


not_run_unless(CLUSTER, globals())
