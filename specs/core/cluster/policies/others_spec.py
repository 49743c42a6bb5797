from expects import be_false, be_none, be_true, equal, expect
from mamba import description, it

from playbooks.core.cluster.policies.kinds import (
    ADMIN,
    CALICO_STORED,
    CALICO_STORED_GLOBAL,
    CILIUM,
    CILIUM_CLUSTERWIDE,
    CLUSTER,
)
from playbooks.core.cluster.policies.others import OtherPolicy
from playbooks.core.cluster.policies.reading import PolicyTarget

BOTH = ("Ingress", "Egress")
TARGET = PolicyTarget(
    {"app": "web", "team": "blue"}, "shop", "web", {"kubernetes.io/metadata.name": "shop"}
)
UNREAD = PolicyTarget(TARGET.labels, "shop", "web")
WORLD = [{"fromEntities": ["all"]}]


def policy(kind, **manifest):
    return OtherPolicy(kind, {"metadata": {"name": "theirs"}, **manifest})


def answer(kind, spec, types=BOTH, target=TARGET):
    return policy(kind, spec=spec).allows(types, target)


def keys(kind, spec):
    return policy(kind, spec=spec).keys(TARGET)


def of_cilium(selector=None, types=BOTH, target=TARGET, kind=CILIUM, **rule):
    return answer(kind, {"endpointSelector": selector or {}, **rule}, types, target)


def of_calico(types=BOTH, target=TARGET, kind=CALICO_STORED, **spec):
    return answer(kind, spec, types, target)


def of_admin(*rules, kind=ADMIN, subject=None, target=TARGET, **spec):
    subject = subject or {"namespaces": {}}
    return answer(kind, {"subject": subject, "ingress": list(rules), **spec}, target=target)


with description("Whether a policy of Cilium still allows traffic") as self:
    with it("is so where it selects the pod and names who may talk"):
        expect(of_cilium(ingress=WORLD)).to(be_true)
        expect(of_cilium({"matchLabels": {"app": "web"}}, ingress=WORLD)).to(be_true)
        expect(of_cilium(egress=[{"toFQDNs": [{"matchName": "a.example"}]}])).to(be_true)
        expect(of_cilium(egress=[{"toPorts": [{"ports": [{"port": "53"}]}]}])).to(be_true)

    with it("is not so where it selects other pods, or the other direction"):
        expect(of_cilium({"matchLabels": {"app": "db"}}, ingress=WORLD)).to(be_false)
        expect(of_cilium(ingress=WORLD, types=("Egress",))).to(be_false)

    with it("is not so where it only denies, by rules or by default"):
        expect(of_cilium(ingressDeny=WORLD)).to(be_false)
        expect(of_cilium(ingress=[{}])).to(be_false)
        expect(of_cilium(ingress=[{"fromEndpoints": []}])).to(be_false)

    with it("takes the source of a label for what it is"):
        for key in ("k8s:app", "any:app"):
            expect(of_cilium({"matchLabels": {key: "web"}}, ingress=WORLD)).to(be_true)
        expect(of_cilium({"matchLabels": {"container:app": "web"}}, ingress=WORLD)).to(be_none)

    with it("knows the labels that Cilium gives a pod, of its namespace and account"):
        for key, value in (
            ("k8s:io.kubernetes.pod.namespace", "shop"),
            ("io.cilium.k8s.policy.serviceaccount", "web"),
            ("io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name", "shop"),
        ):
            given = {"ingress": WORLD, "kind": CILIUM_CLUSTERWIDE}

            expect(of_cilium({"matchLabels": {key: value}}, **given)).to(be_true)
            expect(of_cilium({"matchLabels": {key: "another"}}, **given)).to(be_false)

    with it("is not known of what cannot be read"):
        label = "io.cilium.k8s.namespace.labels.a"

        expect(of_cilium({"matchLabels": {label: "b"}}, ingress=WORLD, target=UNREAD)).to(be_none)
        expect(of_cilium(ingress=[{"fromTheFuture": [1]}])).to(be_none)
        expect(of_cilium(ingress="all")).to(be_none)
        expect(answer(CILIUM, {"ingress": WORLD})).to(be_none)

    with it("is asked of each of its rules"):
        rules = [{"endpointSelector": {}, "ingress": [{}]}, {"endpointSelector": {}, "egress": []}]
        several = policy(CILIUM, specs=[*rules, {"endpointSelector": {}, "ingress": WORLD}])

        expect(policy(CILIUM, specs=rules).allows(BOTH, TARGET)).to(be_false)
        expect(several.allows(BOTH, TARGET)).to(be_true)

    with it("is not so of one for nodes"):
        expect(answer(CILIUM_CLUSTERWIDE, {"nodeSelector": {}, "ingress": WORLD})).to(be_false)

    with it("ends with the labels by which it selects the pod"):
        spec = {"endpointSelector": {"matchLabels": {"k8s:app": "web"}}, "ingress": WORLD}

        expect(keys(CILIUM, spec)).to(equal({"app"}))


with description("Whether a policy of Calico still allows traffic") as self:
    with it("is so where it selects the pod and a rule allows"):
        for selector in ("", "all()", "app == 'web'", 'has(app) && team in {"red", "blue"}'):
            expect(of_calico(selector=selector, ingress=[{"action": "Allow"}])).to(be_true)

    with it("is not so where it selects other pods"):
        for selector in (
            *("app == 'db'", "!has(app)", "app != 'web' || team not in {'blue'}", "global()"),
            *("app starts with 'x'", "app contains 'x'", "!(app ends with 'b')"),
        ):
            expect(of_calico(selector=selector, ingress=[{"action": "Allow"}])).to(be_false)

    with it("is not so where no rule of a type that counts allows"):
        allow, deny = [{"action": "Allow"}], [{"action": "Deny"}]

        expect(of_calico(ingress=deny, egress=[{"action": "Pass"}])).to(be_false)
        expect(of_calico(types=["Egress"], ingress=allow)).to(be_false)
        expect(answer(CALICO_STORED, {"types": ["Ingress"], "egress": allow})).to(be_false)

    with it("is not known where a rule before it denies, or another tier decides"):
        allow = {"action": "Allow"}

        expect(of_calico(ingress=[{"action": "Deny"}, allow])).to(be_none)
        expect(of_calico(tier="security", ingress=[allow])).to(be_none)

    with it("is not known where its selector cannot be read, or is none"):
        for selector in ("((bad", "app ==", "app like 'x'", "pcsa.role == 'a'", "(" * 300):
            expect(of_calico(selector=selector, ingress=[{"action": "Allow"}])).to(be_none)

    with it("is asked of the namespace and the account, too"):
        given = {"ingress": [{"action": "Allow"}], "kind": CALICO_STORED_GLOBAL}

        expect(of_calico(namespaceSelector="projectcalico.org/name == 'shop'", **given)).to(be_true)
        expect(of_calico(namespaceSelector="global()", **given)).to(be_false)
        expect(of_calico(selector="projectcalico.org/namespace == 'a'", **given)).to(be_false)
        expect(of_calico(serviceAccountSelector="role == 'a'", **given)).to(be_none)
        expect(of_calico(namespaceSelector="a == 'b'", target=UNREAD, **given)).to(be_none)

    with it("is not so of one for the interfaces of nodes"):
        expect(of_calico(doNotTrack=True, ingress=[{"action": "Allow"}])).to(be_false)

    with it("ends with the labels that its selector asks for"):
        spec = {"selector": "app == 'web' && has(team)", "ingress": [{"action": "Allow"}]}

        expect(keys(CALICO_STORED, spec)).to(equal({"app", "team"}))


with description("Whether a policy of an administrator still allows traffic") as self:
    with it("is so where it selects the namespace or the pod, and a rule allows"):
        pods = {"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "web"}}}

        expect(of_admin({"action": "Allow"})).to(be_true)
        expect(of_admin({"action": "Allow"}, subject={"pods": pods})).to(be_true)
        expect(of_admin({"action": "Accept"}, kind=CLUSTER, tier="Admin")).to(be_true)

    with it("is not so where it selects others, or only denies or passes"):
        others = {"namespaces": {"matchLabels": {"kubernetes.io/metadata.name": "bank"}}}

        expect(of_admin({"action": "Allow"}, subject=others)).to(be_false)
        expect(of_admin({"action": "Deny"}, {"action": "Pass"})).to(be_false)

    with it("is not so in the tier that a NetworkPolicy comes before"):
        expect(of_admin({"action": "Accept"}, kind=CLUSTER, tier="Baseline")).to(be_false)

    with it("is not known where a rule before it denies, or the namespace was not read"):
        mine = {"namespaces": {"matchLabels": {"team": "blue"}}}

        expect(of_admin({"action": "Deny"}, {"action": "Allow"})).to(be_none)
        expect(of_admin({"action": "Allow"}, subject=mine, target=UNREAD)).to(be_none)
        expect(of_admin({"action": "Accept"}, kind=CLUSTER, tier="Later")).to(be_none)

    with it("ends with the labels by which it selects the pod"):
        pods = {"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "web"}}}

        expect(keys(ADMIN, {"subject": {"pods": pods}})).to(equal({"app"}))
