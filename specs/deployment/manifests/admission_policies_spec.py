import re

from expects import be_empty, contain, equal, expect, have_len
from mamba import description, it

from playbooks import delete, slack
from playbooks.core.cluster.permissions import Changes
from playbooks.deployment.manifests.admission_policies import (
    BINDING,
    POLICY,
    AdmissionPolicy,
    of,
    policies,
)

POLICIES = {m["metadata"]["name"]: m["spec"] for m in policies() if m["kind"] == POLICY}
BINDINGS = {m["metadata"]["name"]: m["spec"] for m in policies() if m["kind"] == BINDING}


def is_about(name, user):
    """As CEL reads it: RE2, which these expressions have in common with Python."""
    (condition,) = POLICIES[name]["matchConditions"]
    pattern = re.fullmatch(
        r"request\.userInfo\.username\.matches\('(.*)'\)", condition["expression"]
    )
    return re.search(pattern.group(1), user) is not None


def account(name, namespace="responders"):
    return f"system:serviceaccount:{namespace}:{name}"


with description("The policies that hold accounts to what their playbook needs") as self:
    with it("have a binding each, which denies"):
        expect(list(BINDINGS)).to(equal(list(POLICIES)))
        for name, binding in BINDINGS.items():
            expect(binding).to(equal({"policyName": name, "validationActions": ["Deny"]}))

    with it("refuse where they cannot be evaluated"):
        expect({spec["failurePolicy"] for spec in POLICIES.values()}).to(equal({"Fail"}))

    with it("are about what isolate and taint may change by their roles"):
        rules = [
            spec["matchConstraints"]["resourceRules"]
            for name, spec in POLICIES.items()
            if name.split("-")[2] in ("isolate", "taint")
        ]
        expect([len(found) for found in rules]).to(equal([1, 1, 1]))
        found = [(one["resources"], one["operations"]) for (one,) in rules]

        expect(found).to(
            equal(
                [
                    (["pods", "pods/*"], ["UPDATE"]),
                    (["networkpolicies"], ["CREATE", "UPDATE", "DELETE"]),
                    (["nodes", "nodes/*"], ["UPDATE"]),
                ]
            )
        )

    with it("are about the playbook's accounts in any namespace, also under a longer name"):
        pods, nodes = "falco-playbook-isolate-pods", "falco-playbook-taint-nodes"
        for user in (account("falco-isolate"), account("falco-isolate-eu.1", "x")):
            expect(is_about(pods, user)).to(equal(True))
            expect(is_about(nodes, user)).to(equal(False))
        expect(is_about(nodes, account("falco-taint"))).to(equal(True))

    with it("are about nobody else"):
        others = (
            account("falco-isolated"),
            account("my-falco-isolate"),
            account("falco-taint"),
            account("default"),
            "falco-isolate",
            f"x{account('falco-isolate')}",
            "kubernetes-admin",
            "system:node:node-1",
        )
        expect([u for u in others if is_about("falco-playbook-isolate-pods", u)]).to(be_empty)

    with it("say in words what is not to be changed, in no more than one line"):
        for name, spec in POLICIES.items():
            for validation in spec["validations"]:
                playbook = name.split("-")[2]
                expect(validation["message"]).to(contain(f"the {playbook} playbook"))
                expect(validation["message"].splitlines()).to(have_len(1))
                expect(len(validation["expression"]) < 200).to(equal(True))

    with it("are none for playbooks whose roles cannot be held any closer"):
        expect((of(delete.playbook), of(slack.playbook))).to(equal(([], [])))

    with it("let an account change nothing but annotations of ours, where no more is declared"):
        policy, binding = AdmissionPolicy("mark", Changes("nodes")).manifests()
        messages = [each["message"] for each in policy["spec"]["validations"]]

        expect(policy["metadata"]["name"]).to(equal("falco-playbook-mark-nodes"))
        expect(binding["spec"]["policyName"]).to(equal("falco-playbook-mark-nodes"))
        expect(messages).to(
            equal(
                [
                    "the mark playbook changes nothing of a node's spec",
                    "the mark playbook changes nothing of a node's status",
                    "the mark playbook changes neither finalizers nor owners of a node",
                    "the mark playbook changes no labels of a node",
                    "the mark playbook changes no annotations of a node but falco/*",
                ]
            )
        )

    with it("let an account change the fields of the spec that are declared"):
        policy, _ = AdmissionPolicy("close", Changes("nodes", spec=("a", "b"))).manifests()
        first = policy["spec"]["validations"][0]

        expect(first["message"]).to(
            equal("the close playbook changes nothing of a node's spec but its a and b")
        )
        expect(first["expression"]).to(contain("k == 'a' || k == 'b' || dyn(oldObject.spec)[?k]"))
