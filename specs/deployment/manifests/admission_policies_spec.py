import re

from expects import be_empty, contain, equal, expect, have_len
from mamba import description, it

from playbooks import slack
from playbooks.core.cluster.changes import Changes
from playbooks.deployment.manifests.admission_policies import (
    BINDING,
    POLICY,
    AdmissionPolicy,
    Bound,
    beside,
    of,
    of_parameters,
    parameters,
    policies,
)
from specs.deployment.mothers import a_request

POLICIES = {m["metadata"]["name"]: m["spec"] for m in policies() if m["kind"] == POLICY}
BINDINGS = {m["metadata"]["name"]: m["spec"] for m in policies() if m["kind"] == BINDING}


def is_about(name, user):
    """As CEL reads it: RE2, which these expressions have in common with Python."""
    condition = POLICIES[name]["matchConditions"][0]
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

    with it("are about what playbooks change by their roles, their ledgers and their Events"):
        found = [
            (name[len("falco-playbook-") :], rule["resources"], rule["operations"])
            for name, spec in POLICIES.items()
            for rule in spec["matchConstraints"]["resourceRules"]
            if name.split("-")[2] in ("delete", "isolate", "taint")
        ]
        beside = {
            name: (
                (f"{name}-configmaps", ["configmaps"], ["UPDATE", "CREATE", "DELETE"]),
                (f"{name}-events", ["events"], ["CREATE", "UPDATE"]),
            )
            for name in ("delete", "isolate", "taint")
        }
        policies = "networkpolicies"

        expect(found).to(
            equal(
                [
                    ("delete-pods-delete", ["pods"], ["DELETE"]),
                    *beside["delete"],
                    ("isolate-pods", ["pods", "pods/*"], ["UPDATE"]),
                    ("isolate-pods-delete", ["pods"], ["DELETE"]),
                    (f"isolate-{policies}", [policies], ["CREATE", "UPDATE"]),
                    (f"isolate-{policies}-delete", [policies], ["DELETE"]),
                    (f"isolate-cilium{policies}", [f"cilium{policies}"], ["CREATE", "UPDATE"]),
                    (f"isolate-cilium{policies}-delete", [f"cilium{policies}"], ["DELETE"]),
                    (f"isolate-calico-{policies}", [policies], ["CREATE", "UPDATE"]),
                    (f"isolate-calico-{policies}-delete", [policies], ["DELETE"]),
                    *beside["isolate"],
                    ("taint-nodes", ["nodes", "nodes/*"], ["UPDATE"]),
                    *beside["taint"],
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

    with it("are none for playbooks whose roles cannot be held any closer"):
        expect(of(slack.playbook)).to(equal([]))

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


def those_of(*typed, playbook="taint"):
    found, *bindings = beside(a_request(playbook, *typed), "ops", Bound(allowed=True), {})
    return found, bindings


with description("What holds an account to the settings of its function") as self:
    with it("is a ConfigMap of the settings that the policies read, defaults and all"):
        found, _ = those_of("-e", "TAINT_KEY=example.com/breach", "-e", "TAINT_HOST=true")

        expect(found["metadata"]["name"]).to(equal("falco-taint-admission"))
        expect(found["data"]).to(
            equal(
                {
                    "TAINT_KEY": "example.com/breach",
                    "TAINT_EFFECT": "NoSchedule",
                    "TAINT_TTL": "off",
                }
            )
        )

    with it("has each value in one way, however it is written"):
        typed = ("-e", "ISOLATE_DETACH=True", "-e", "ISOLATE_ALLOW_CIDRS= 10.0.0.0/8 , ::1")
        found, _ = those_of(*typed, "-e", "NAMESPACES=shop\ndev-*", playbook="isolate")

        expect(found["data"]["ISOLATE_DETACH"]).to(equal("true"))
        expect(found["data"]["ISOLATE_ALLOW_CIDRS"]).to(equal("10.0.0.0/8,::1/128"))
        expect(found["data"]["NAMESPACES"]).to(equal("shop,dev-*"))

    with it("is bound to the policies that read it; without it, these refuse nobody anything more"):
        _, bindings = those_of()

        expect([each["spec"]["policyName"] for each in bindings]).to(
            equal(["falco-playbook-taint-nodes"])
        )
        expect(bindings[0]["spec"]["paramRef"]).to(
            equal(
                {
                    "name": "falco-taint-admission",
                    "namespace": "ops",
                    "parameterNotFoundAction": "Allow",
                }
            )
        )

    with it("is about the account in the namespace of that ConfigMap, and about no other"):
        condition = POLICIES["falco-playbook-taint-nodes"]["matchConditions"][1]

        expect(condition["expression"]).to(
            contain("params == null", "params.metadata.namespace", "labels['function']")
        )

    with it("leaves out what comes from a Secret and is not known"):
        typed = a_request("taint", "-s", "TAINT_KEY=mine/key")
        unknown, known = (
            beside(typed, "ops", Bound(), texts)[0]["data"] for texts in ({}, {"TAINT_KEY": "a/b"})
        )

        expect("TAINT_KEY" in unknown).to(equal(False))
        expect(known["TAINT_KEY"]).to(equal("a/b"))

    with it("is bound later from the ConfigMap alone"):
        found, bindings = those_of()

        expect(of_parameters(found)).to(equal(bindings))
        theirs = {"metadata": {**found["metadata"], "labels": {"falco/admission": "nothing"}}}
        expect(of_parameters(theirs)).to(equal([]))

    with it("is not bound for what no function is called, which no binding could be called either"):
        found, _ = those_of()
        labels = {**found["metadata"]["labels"], "function": "falco-taint-a.-b"}
        theirs = {"metadata": {**found["metadata"], "labels": labels}}

        expect(of_parameters(theirs)).to(equal([]))

    with it("is none under a name that the policies are not about"):
        _, *bindings = beside(a_request("taint", "-N", "audit"), "ops", Bound(allowed=True), {})

        expect(bindings).to(be_empty)

    with it("has nothing that changes while workers with the settings of before are at work"):
        typed = a_request("taint", "-e", "TAINT_KEY=a/new")
        bound = Bound(before={"TAINT_KEY": "a/old", "TAINT_EFFECT": "NoSchedule"})

        expect(beside(typed, "ops", bound, {})[0]["data"]).to(equal({"TAINT_EFFECT": "NoSchedule"}))
        expect(parameters(typed, "ops", {})[0]["data"]["TAINT_KEY"]).to(equal("a/new"))
