from expects import be_empty, be_false, be_true, equal, expect, have_keys
from mamba import description, it

from playbooks.core.cluster.policies.kinds import OTHERS
from playbooks.deployment.manifests.network_policy import network_policy
from playbooks.deployment.manifests.rbac import roles, service_account
from specs.deployment.mothers import a_request, a_slack_request


def granted(made):
    """Kind, namespace and rules of every role, rules as group/resource: verbs."""
    return [
        (
            role["kind"],
            role["metadata"].get("namespace"),
            {
                "/".join(filter(None, (*rule["apiGroups"], *rule["resources"]))): rule["verbs"]
                for rule in role["rules"]
            },
        )
        for role in made
        if "rules" in role
    ]


GUARDS = {
    "namespaces": ["get"],
    "replicationcontrollers": ["get"],
    "apps/replicasets": ["get"],
    "apps/statefulsets": ["get"],
    "apps/daemonsets": ["get"],
    "batch/jobs": ["get"],
    "events.k8s.io/events": ["create", "patch"],
}
OWN = {
    "apps/replicasets": ["get"],
    "apps/deployments": ["get"],
    "kubeless.io/functions": ["get"],
}
SERVING = {
    "admissionregistration.k8s.io/validatingwebhookconfigurations": ["list"],
    "admissionregistration.k8s.io/mutatingwebhookconfigurations": ["list"],
    "apiregistration.k8s.io/apiservices": ["list"],
}
IN_NAMESPACES = {"pods": ["get", "list", "delete"], **GUARDS}
PODS = {**IN_NAMESPACES, **SERVING}

OF_DEFAULT = {"endpoints": ["get"], "events.k8s.io/events": ["create", "patch"]}


with description("The rights of a function") as self:
    with it("are its playbook's verbs, in the whole cluster where nothing limits it"):
        expect(granted(roles(a_request("delete"), "default"))).to(
            equal([("ClusterRole", None, PODS), ("Role", "default", OWN)])
        )

    with it("reach Functions, whose settings are nobody else's business, beside its own only"):
        for playbook in ("delete", "isolate", "taint", "cordon"):
            made = granted(roles(a_request(playbook), "ops"))
            places = [place for _, place, rules in made if "kubeless.io/functions" in rules]

            expect((playbook, places)).to(equal((playbook, ["ops"])))

    with it("are those in each namespace of NAMESPACES, where these are names"):
        made = roles(a_request("delete", "-e", "NAMESPACES=shop, bank,shop"), "default")

        expect(granted(made)).to(
            equal(
                [
                    *[("Role", place, IN_NAMESPACES) for place in ("shop", "bank")],
                    ("Role", "default", OWN),
                ]
            )
        )

    with it("reach logs and Events only where evidence is kept"):
        made = roles(a_request("delete", "-e", "EVIDENCE_URL=s3://evidence"), "default")
        also = {"pods/log": ["get"], "events": ["list"]}

        expect(granted(made)[0]).to(equal(("ClusterRole", None, {**PODS, **also})))

    with it("are in the whole cluster when one of NAMESPACES is a glob"):
        made = roles(a_request("delete", "-e", "NAMESPACES=shop,team-*"), "default")

        expect(granted(made)).to(equal([("ClusterRole", None, PODS), ("Role", "default", OWN)]))

    with it("are in the whole cluster for what belongs to no namespace"):
        made = roles(a_request("taint", "-e", "NAMESPACES=shop"), "default")

        expect(granted(made)).to(
            equal(
                [
                    ("ClusterRole", None, {"nodes": ["get", "list", "patch"]}),
                    ("Role", "shop", {"pods": ["get", "list"], "namespaces": ["get"]}),
                    ("Role", "default", {**OWN, **OF_DEFAULT}),
                ]
            )
        )

    with it("are one role in a namespace that is also that of the Events about nodes"):
        made = roles(a_request("taint", "-e", "NAMESPACES=default"), "ops")

        expect(granted(made)[1:]).to(
            equal(
                [
                    (
                        "Role",
                        "default",
                        {"pods": ["get", "list"], "namespaces": ["get"], **OF_DEFAULT},
                    ),
                    ("Role", "ops", OWN),
                ]
            )
        )

    with it("are to write Events about nodes in their namespace only, wherever it acts"):
        made = roles(a_request("taint"), "ops")

        expect(granted(made)[-1]).to(equal(("Role", "default", OF_DEFAULT)))
        expect([rules for _, place, rules in granted(made) if not place and "events" in rules]).to(
            be_empty
        )

    with it("are exactly those of isolating a pod"):
        made = roles(a_request("isolate"), "default")

        expect(granted(made)[0][2]).to(
            equal(
                {
                    "pods": ["get", "list", "patch"],
                    "services": ["list"],
                    "replicationcontrollers": ["get"],
                    "persistentvolumeclaims": ["get"],
                    "networking.k8s.io/networkpolicies": ["list", "create", "update"],
                    **{f"{kind.group}/{kind.resource}": ["list"] for kind in OTHERS},
                    **GUARDS,
                    **SERVING,
                }
            )
        )

    with it("are none to list policies of the whole cluster where it isolates in some namespaces"):
        made = roles(a_request("isolate", "-e", "NAMESPACES=shop"), "default")

        expect({r for _, place, rules in granted(made) if not place for r in rules}).to(be_empty)
        (of_shop,) = [rules for _, place, rules in granted(made) if place == "shop"]
        expect(of_shop).to(have_keys({"cilium.io/ciliumnetworkpolicies": ["list"]}))
        expect(of_shop).not_to(have_keys("cilium.io/ciliumclusterwidenetworkpolicies"))

    with it("are more where isolations end by themselves"):
        ended = a_request("isolate", "-e", "ISOLATE_TTL=2h")
        elsewhere = a_request("isolate", "-s", "ISOLATE_TTL=chosen/ttl")
        off = a_request("isolate", "-e", "ISOLATE_TTL=off")

        for request, more in ((ended, True), (elsewhere, True), (off, False)):
            rules = roles(request, "default")[0]["rules"]
            deleted = [rule["resources"] for rule in rules if rule["verbs"] == ["delete"]]
            expect(deleted).to(equal([["pods"], ["networkpolicies"]] if more else []))

    with it("are none for a playbook that asks nothing of the cluster"):
        expect(roles(a_slack_request(), "default")).to(be_empty)

    with it("are bound to its own account"):
        binding = roles(a_request("delete", "-N", "quick"), "ops")[1]

        expect(binding["subjects"]).to(
            equal([{"kind": "ServiceAccount", "name": "falco-quick", "namespace": "ops"}])
        )
        expect(binding["roleRef"]["name"]).to(equal("falco-quick.ops"))

    with it("have names that tell function and namespace"):
        mine, other = roles(a_request(), "a")[0], roles(a_request(), "b")[0]

        expect([mine["metadata"]["name"], other["metadata"]["name"]]).to(
            equal(["falco-delete.a", "falco-delete.b"])
        )

    with it("have labels that tell function and namespace"):
        expect(roles(a_request(), "ops")[1]["metadata"]["labels"]).to(
            equal(
                {
                    "created-by": "kubeless",
                    "function": "falco-delete",
                    "falco/function-namespace": "ops",
                }
            )
        )


with description("The account of a function") as self:
    with it("has a token when it has rights"):
        account = service_account(a_request(), "default")

        expect(account["automountServiceAccountToken"]).to(be_true)

    with it("has no token when it has none"):
        account = service_account(a_slack_request(), "default")

        expect(account["automountServiceAccountToken"]).to(be_false)


with description("The network policy of a function") as self:
    with it("lets only Kubeless' namespace call it"):
        spec = network_policy("falco-delete", "default", "kubeless")["spec"]

        expect(spec["podSelector"]["matchLabels"]).to(
            equal({"created-by": "kubeless", "function": "falco-delete"})
        )
        expect(spec["ingress"]).to(
            equal(
                [
                    {
                        "from": [
                            {
                                "namespaceSelector": {
                                    "matchLabels": {"kubernetes.io/metadata.name": "kubeless"}
                                }
                            }
                        ],
                        "ports": [{"protocol": "TCP", "port": 8080}],
                    }
                ]
            )
        )

    with it("does not restrict where the function connects to"):
        spec = network_policy("falco-delete", "default", "kubeless")["spec"]

        expect(spec["policyTypes"]).to(equal(["Ingress"]))
