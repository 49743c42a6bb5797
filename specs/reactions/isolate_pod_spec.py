import json

from expects import (
    be_empty,
    be_none,
    contain,
    equal,
    expect,
    have_key,
    have_len,
    raise_error,
    start_with,
)
from mamba import before, description, it

from playbooks.core.cluster.network_policy import LABEL, NOTHING, Reachable
from playbooks.core.cluster.policies.kinds import CALICO, CILIUM, NETWORK_POLICY
from playbooks.core.cluster.policies.others import MOST
from playbooks.core.containment.isolation import DETACHED_LABELS, Isolation
from playbooks.core.containment.lifetime import Lifetime
from playbooks.core.errors import (
    AlreadyExists,
    ClusterUnavailable,
    Conflict,
    ListTooLong,
    NotFound,
    NotPermitted,
    Refused,
)
from playbooks.core.instant import after as later
from playbooks.core.outcome import Status
from playbooks.core.proof import Proof
from playbooks.reactions.isolate_pod import IsolatePod
from playbooks.testing import (
    NOW,
    UID,
    FixedClock,
    InMemoryCluster,
    a_claim,
    a_new_policy,
    a_pod,
    a_policy,
    a_replica_controller,
    a_service,
    an_alert,
)
from specs.support.long_lists import too_many_policies
from specs.support.wired import MovingClock

NAME = f"falco-isolate-{UID}"
LABELS = {"app": "web", "pod-template-hash": "abc", "team": "blue"}
ALLOW_ALL = {"policyTypes": ["Ingress", "Egress"], "ingress": [{}], "egress": [{}]}


def a_replica(**changes):
    return a_pod(owner="ReplicaSet/web", metadata={"labels": LABELS}, **changes)


def a_cluster(pod, *policies):
    """With the pod's ReplicaSet, and a Service that selects by app."""
    cluster = InMemoryCluster(pod, *policies)
    cluster.put(a_replica_controller(labels={"app": "web", "pod-template-hash": "abc"}))
    cluster.put(a_service("web", selector={"app": "web"}))
    cluster.put(a_service("another", selector={"app": "another"}))
    return cluster


CALICO_ALLOW = {
    "apiVersion": "projectcalico.org/v3",
    "kind": "NetworkPolicy",
    "metadata": {"name": "theirs", "namespace": "shop"},
    "spec": {"selector": "all()", "types": ["Egress"], "egress": [{"action": "Allow"}]},
}


def ours(cluster, kind):
    found = cluster.network_policies("shop", kind)
    return next((each for each in found if each["metadata"]["name"] == NAME), None)


def an_endpoint(*labels):
    """As Cilium's agent writes it."""
    return {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumEndpoint",
        "metadata": {"name": "web-0", "namespace": "shop"},
        "status": {"identity": {"id": 1, "labels": list(labels)}},
    }


def a_cilium_policy(selector):
    return {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumNetworkPolicy",
        "metadata": {"name": "theirs", "namespace": "shop"},
        "spec": {"endpointSelector": selector, "ingress": [{"fromEntities": ["all"]}]},
    }


def isolate_pod(
    cluster,
    *,
    direction="both",
    reachable=NOTHING,
    detach=True,
    ttl=None,
    now=NOW,
    policy="kubernetes",
    confirm=None,
    clock=None,
):
    proof = Proof(cluster, FixedClock(), identity="strict", namespaces=())
    return IsolatePod(
        cluster,
        cluster.ledger,
        proof,
        Lifetime(clock or FixedClock(now), ttl),
        direction=direction,
        reachable=reachable,
        detach=detach,
        policy=policy,
        confirm=confirm,
    )


def run(cluster, **settings):
    return isolate_pod(cluster, **settings).run(an_alert())


def the_pod(cluster):
    return cluster.pods["shop", "web-0"]


with description("An isolation that was stored") as self:
    with before.each:
        self.cluster = a_cluster(a_replica())
        self.reaction = isolate_pod(self.cluster)
        self.action = self.reaction.plan(an_alert())
        self.action.carry_out()

    def verified(self):
        found = self.reaction.verify(self.action)
        return found.holds, found.words

    with it("is verified while label and policy are there"):
        expect(self.verified()).to(
            equal((True, "label and policy that isolate pod shop/web-0 are there"))
        )

    with it("is not where somebody took the label off, or the policy away"):
        self.cluster.delete_network_policy(next(iter(self.cluster.network_policies("shop"))))
        expect(self.verified()).to(
            equal((False, "the policy that isolates pod shop/web-0 is there no longer"))
        )
        self.cluster.patch_pod(the_pod(self.cluster), labels={LABEL: None}, annotations={})
        expect(self.verified()[0]).to(equal(False))

    with it("is verified where the pod is gone"):
        self.cluster.delete_pod(the_pod(self.cluster), grace_period_seconds=0)

        expect(self.verified()).to(equal((True, "pod shop/web-0 is gone")))


with description("Isolating a pod") as self:
    with description("that a ReplicaSet replaces"):
        with before.each:
            self.cluster = a_cluster(a_replica())
            self.outcome = run(self.cluster)

        with it("stores a policy first, then patches the pod once"):
            expect(self.cluster.writes).to(equal(["create_network_policy", "patch_pod"]))

        with it("denies all traffic to exactly this pod"):
            expect(self.cluster.policies[NAME]["spec"]).to(
                equal(
                    {
                        "podSelector": {"matchLabels": {"falco/isolated": UID}},
                        "policyTypes": ["Ingress", "Egress"],
                    }
                )
            )

        with it("has the pod own the policy, so that they go together"):
            expect(self.cluster.policies[NAME]["metadata"]["ownerReferences"]).to(
                equal([{"apiVersion": "v1", "kind": "Pod", "name": "web-0", "uid": UID}])
            )

        with it("takes off the labels of its controller and its Service, and keeps the others"):
            expect(the_pod(self.cluster).labels).to(equal({"team": "blue", "falco/isolated": UID}))

        with it("keeps the labels that it takes off in an annotation"):
            kept = the_pod(self.cluster).annotations[DETACHED_LABELS]

            expect(json.loads(kept)).to(equal({"app": "web", "pod-template-hash": "abc"}))

        with it("writes on the pod what it changed, when and why, in the same patch"):
            expect(the_pod(self.cluster).annotations).to(
                equal(
                    {
                        "falco/policy": NAME,
                        "falco/detached-labels": '{"app": "web", "pod-template-hash": "abc"}',
                        "falco/detached-from": "ReplicaSet web",
                        "falco/isolated-at": str(NOW),
                        "falco/rule": "Terminal shell in container",
                        "falco/reason": "isolated",
                    }
                )
            )

        with it("writes nothing of the alert's text"):
            expect(str(the_pod(self.cluster).annotations)).not_to(contain("spawned"))

        with it("says that deleting it ends it: another replica has taken its place"):
            undo = "kubectl delete pod web-0 -n shop"

            expect(self.outcome.details["undo"]).to(equal(undo))

        with it("says what it stored, not that it is enforced"):
            expect(self.outcome.reason).to(equal("isolated"))
            expect(self.outcome.message).to(
                equal(
                    f"policy stored: {NAME} denies all ingress and egress of pod shop/web-0;"
                    " detached from ReplicaSet web: labels app, pod-template-hash taken off"
                )
            )

        with it("is done when it is asked again"):
            again = run(self.cluster)

            expect(again.reason).to(equal("already-isolated"))
            expect(self.cluster.writes).to(equal(["create_network_policy", "patch_pod"]))

    with it("drops what somebody wrote on the pod beforehand, and goes by none of it"):
        forged = {
            DETACHED_LABELS: '{"admin": "yes"}',
            "falco/until": str(later(NOW, 21)),
            "falco/detached-from": "ReplicaSet evil",
        }
        pod = a_pod(metadata={"labels": LABELS, "annotations": {**forged, "kept": "1"}})
        cluster = a_cluster(pod)
        run(cluster, ttl=3600)
        found = the_pod(cluster).annotations

        expect(found["falco/until"]).to(equal(str(later(NOW, 3600))))
        expect(found["kept"]).to(equal("1"))
        expect({DETACHED_LABELS, "falco/detached-from"} & set(found)).to(be_empty)
        expect(cluster.ledger.contained()[UID].notes).to(
            equal({key: value for key, value in found.items() if key != "kept"})
        )

    with it("remembers in the ledger what it takes off, before it takes it off"):
        cluster = a_cluster(a_replica())
        cluster.failures["patch_pod"] = [NotPermitted("may not"), NotPermitted("may not")]

        expect(lambda: run(cluster)).to(raise_error(NotPermitted))
        expect(cluster.ledger.contained()).to(have_key(UID))

    with it("isolates a pod whose annotations are full, and says so: the ledger has the notes"):
        full = {"labels": LABELS, "annotations": {"theirs": "x" * (256 * 1024 - 6)}}
        cluster = a_cluster(a_pod(owner="ReplicaSet/web", metadata=full))
        outcome = run(cluster)

        expect((outcome.status, outcome.reason)).to(equal((Status.ACTED, "isolated")))
        expect(outcome.message).to(contain("detached from", "the ledger alone has the note"))
        expect(the_pod(cluster).labels).to(equal({"team": "blue", "falco/isolated": UID}))
        expect(cluster.ledger.contained()[UID].notes).to(have_key(DETACHED_LABELS))

    with it("takes no labels off that are too long to be remembered"):
        labels = {f"l{number:02}": "x" * 63 for number in range(40)}
        cluster = a_cluster(a_pod(owner="ReplicaSet/web", metadata={"labels": labels}))
        cluster.put(a_replica_controller(labels=labels))

        expect(run(cluster).message).to(contain("not detached", "too long to be remembered"))

    with it("detaches a pod that only claims to have been detached before"):
        claims = {"labels": LABELS, "annotations": {DETACHED_LABELS: "{}"}}
        cluster = a_cluster(a_pod(owner="ReplicaSet/web", metadata=claims))

        expect(run(cluster).message).to(contain("detached from ReplicaSet web"))

    with it("takes off the labels by which policies of others select the pod"):
        policy = a_policy(
            selector={"matchExpressions": [{"key": "team", "operator": "Exists"}]}, **ALLOW_ALL
        )
        cluster = a_cluster(a_replica(), policy)
        outcome = run(cluster)

        expect(the_pod(cluster).labels).to(equal({"falco/isolated": UID}))
        expect(outcome.reason).to(equal("isolated"))

    with description("while another policy allows traffic"):
        with it("is isolated in part where that policy selects every pod"):
            cluster = a_cluster(a_replica(), a_policy("allow-all", **ALLOW_ALL))
            outcome = run(cluster)

            expect(outcome.status).to(equal(Status.ACTED))
            expect(outcome.reason).to(equal("isolated-in-part"))
            expect(outcome.details["still_allowing"]).to(equal(["allow-all"]))
            expect(outcome.message).to(contain("isolated in part: allow-all still allow traffic"))

        with it("is isolated in part where taking labels off makes the policy select it"):
            selector = {"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}
            cluster = a_cluster(a_replica(), a_policy("rest", selector=selector, **ALLOW_ALL))

            expect(run(cluster).reason).to(equal("isolated-in-part"))

        with it("never changes that policy"):
            policy = a_policy("allow-all", **ALLOW_ALL)
            cluster = a_cluster(a_replica(), policy)
            run(cluster)

            expect(cluster.policies["allow-all"]).to(equal(a_policy("allow-all", **ALLOW_ALL)))

        with it("is isolated where that policy only denies"):
            cluster = a_cluster(a_replica(), a_policy(policyTypes=["Ingress", "Egress"]))

            expect(run(cluster).reason).to(equal("isolated"))

        with it("minds no rule of a type that the policy does not declare"):
            policy = a_policy(policyTypes=["Egress"], ingress=[{}])

            expect(run(a_cluster(a_replica(), policy)).reason).to(equal("isolated"))

        with it("takes a policy without types for one of ingress, and of egress if it has any"):
            ingress = a_cluster(a_replica(), a_policy(ingress=[{}]))
            egress = a_cluster(a_replica(), a_policy(egress=[{}]))

            expect(run(ingress, direction="ingress").reason).to(equal("isolated-in-part"))
            expect(run(ingress, direction="egress").reason).to(equal("isolated"))
            expect(run(egress, direction="egress").reason).to(equal("isolated-in-part"))

    with description("while a policy of another kind allows traffic"):
        with it("is isolated in part, and names it with its kind"):
            cluster = a_cluster(a_replica(), a_cilium_policy({}))
            outcome = run(cluster)

            expect(outcome.reason).to(equal("isolated-in-part"))
            expect(outcome.details["still_allowing"]).to(equal(["CiliumNetworkPolicy theirs"]))
            expect(outcome.message).to(contain("CiliumNetworkPolicy theirs still allow traffic"))

        with it("takes off the labels by which that policy selects the pod"):
            cluster = a_cluster(a_replica(), a_cilium_policy({"matchLabels": {"k8s:team": "blue"}}))
            outcome = run(cluster)

            expect(the_pod(cluster).labels).to(equal({"falco/isolated": UID}))
            expect(outcome.reason).to(equal("isolated"))

        with it("is perhaps isolated in part where that policy cannot be read"):
            cluster = a_cluster(a_replica(), a_cilium_policy({"matchLabels": {"x:team": "blue"}}))
            outcome = run(cluster)

            expect(outcome.reason).to(equal("isolated-perhaps-in-part"))
            expect(outcome.details["may_still_allow"]).to(equal(["CiliumNetworkPolicy theirs"]))
            expect(outcome.message).to(contain("CiliumNetworkPolicy theirs may still allow"))

        with it("says so again when it is asked again"):
            cluster = a_cluster(a_replica(), a_cilium_policy({"matchLabels": {"x:team": "blue"}}))
            run(cluster)
            again = run(cluster)

            expect(again.reason).to(equal("already-isolated"))
            expect(again.message).to(contain("CiliumNetworkPolicy theirs may still allow traffic"))

        with it("never says that all is denied where a kind cannot be read, and why"):
            for error in (NotPermitted("may not"), ClusterUnavailable("no answer")):
                cluster = a_cluster(a_replica(), a_cilium_policy({}))
                own = cluster.network_policies

                def unread(namespace, kind=NETWORK_POLICY, own=own, error=error):
                    if kind == NETWORK_POLICY:
                        return own(namespace)
                    raise error

                cluster.network_policies = unread
                outcome = run(cluster)
                unread = f"CiliumNetworkPolicies (not read: {error.reason}) may still allow traffic"

                expect(outcome.reason).to(equal("isolated-perhaps-in-part"))
                expect(outcome.message).to(contain("denies ingress and egress", unread))

        with it("names those too large to be kept, and takes off any label they may ask for"):
            rules = [{"fromCIDR": [f"10.{n}.0.0/16" for n in range(MOST // 10)]}]
            for large in (a_cilium_policy({}), a_new_policy("theirs", "shop")):
                cluster = a_cluster(a_replica(), {**large, "spec": {"ingress": rules}})
                outcome = run(cluster)
                kind = {"NetworkPolicy": ""}.get(large["kind"], f"{large['kind']} ")

                expect(outcome.reason).to(equal("isolated-perhaps-in-part"))
                expect(outcome.message).to(contain(f"{kind}theirs may still allow traffic"))
                expect(outcome.details["detached_labels"]).to(equal(LABELS))

        with it("stores one policy beside more than can be read, and takes all labels off"):
            cluster = a_cluster(a_replica())
            own = too_many_policies(cluster)
            outcomes = [run(cluster), run(cluster)]

            expect([each.reason for each in outcomes]).to(
                equal(["isolated-perhaps-in-part", "already-isolated"])
            )
            expect(outcomes[0].message).to(contain("NetworkPolicies (not read: list-too-long)"))
            expect(outcomes[0].details["detached_labels"]).to(equal(LABELS))
            expect(list(own("shop"))).to(have_len(1))

        with it("takes all labels off where Services are more than can be read"):
            cluster = a_cluster(a_replica())
            cluster.failures["service_keys"] = [ListTooLong("too many")]
            outcome = run(cluster)

            expect(outcome.reason).to(equal("isolated"))
            expect(outcome.details["detached_labels"]).to(equal(LABELS))

        with it("reads a Calico policy once, whichever API shows it"):
            shown = {**a_cilium_policy({}), "kind": "NetworkPolicy", "spec": {"selector": "all()"}}
            shown["spec"]["ingress"] = [{"action": "Allow"}]
            apis = ("crd.projectcalico.org/v1", "projectcalico.org/v3")
            cluster = a_cluster(a_replica(), *({**shown, "apiVersion": api} for api in apis))

            allowing = run(cluster).details["still_allowing"]
            expect(allowing).to(equal(["Calico NetworkPolicy theirs"]))

    with description("by a policy of its network plugin"):
        with before.each:
            self.cilium = a_cluster(a_replica(), a_cilium_policy({}))
            elsewhere = {**CALICO_ALLOW, "metadata": {"name": "x", "namespace": "other"}}
            self.calico = a_cluster(a_replica(), elsewhere)

        with it("denies what other policies of that plugin allow, and so is whole"):
            self.cilium.put(a_policy("allow-all", **ALLOW_ALL))
            outcome = run(self.cilium, policy="cilium")

            expect(outcome.reason).to(equal("isolated"))
            expect(outcome.details["policy_kind"]).to(equal("CiliumNetworkPolicy"))
            expect(list(self.cilium.policies)).to(equal(["allow-all"]))

        with it("stores one of its name that the pod owns, and selects it by its label"):
            run(self.cilium, policy="cilium")
            stored = ours(self.cilium, CILIUM)

            expect(stored["metadata"]["ownerReferences"]).to(
                equal([{"apiVersion": "v1", "kind": "Pod", "name": "web-0", "uid": UID}])
            )
            expect(stored["spec"]["endpointSelector"]).to(
                equal({"matchLabels": {"k8s:falco/isolated": UID}})
            )
            expect(stored["spec"]["egressDeny"]).to(equal([{"toEntities": ["all"]}]))

        with it("takes the place of one that somebody made under its name and label"):
            metadata = {"name": NAME, "namespace": "shop", "labels": {LABEL: UID}}
            for body in ({"specs": [{"endpointSelector": {}}]}, {"spec": None}, {"spec": {}}):
                forged = {**a_cilium_policy({}), "metadata": metadata}
                del forged["spec"]
                self.cilium.put(a_replica())
                self.cilium.put({**forged, **body})
                outcome = run(self.cilium, policy="cilium")

                expect(outcome.status).to(equal(Status.ACTED))
                expect(ours(self.cilium, CILIUM)["spec"]["egressDeny"]).to(
                    equal([{"toEntities": ["all"]}])
                )

        with it("lets the node reach the pod, whose probes would fail else"):
            run(self.cilium, policy="cilium")
            denied = json.dumps(ours(self.cilium, CILIUM)["spec"]["ingressDeny"])

            expect(denied).to(contain("world", "remote-node"))
            expect(denied).not_to(contain('"host"', '"all"', "kube-apiserver"))

        with it("leaves out of what Cilium denies what stays reachable"):
            reachable = Reachable(("10.1.0.0/16",), ("monitoring",), dns=True)
            run(self.cilium, policy="cilium", reachable=reachable)
            spec = ours(self.cilium, CILIUM)["spec"]
            names = "k8s:io.kubernetes.pod.namespace"
            pods = {"matchLabels": {names: "kube-system"}}
            (named,) = [
                r["toEndpoints"][0]
                for r in spec["egressDeny"]
                if "matchExpressions" in str(r.get("toEndpoints"))
            ]

            expect(named["matchExpressions"]).to(
                contain(
                    {"key": names, "operator": "NotIn", "values": ["monitoring", "kube-system"]}
                )
            )
            expect(spec["egressDeny"]).to(
                contain(
                    {
                        "toCIDRSet": [
                            {"cidr": "0.0.0.0/0", "except": ["10.1.0.0/16"]},
                            {"cidr": "::/0"},
                        ]
                    }
                )
            )
            ports = [{"ports": [{"port": "53", "protocol": "ANY"}]}]
            expect(spec["egress"]).to(
                equal(
                    [
                        {"toCIDRSet": [{"cidr": "10.1.0.0/16"}]},
                        {"toEndpoints": [{"matchLabels": {names: "monitoring"}}]},
                        {"toEndpoints": [pods], "toPorts": ports},
                    ]
                )
            )
            expect(json.dumps(spec["ingress"])).not_to(contain("53"))

        with it("comes with Calico before every policy that has an order"):
            run(self.calico, policy="calico", direction="egress")
            spec = ours(self.calico, CALICO)["spec"]

            expect(spec).to(
                equal(
                    {
                        "tier": "default",
                        "order": -1_000_000,
                        "selector": f"falco/isolated == '{UID}'",
                        "types": ["Egress"],
                        "egress": [{"action": "Deny"}],
                    }
                )
            )

        with it("lets through with Calico what stays reachable, before it denies"):
            reachable = Reachable(("10.1.0.0/16",), ("monitoring",), dns=True)
            run(self.calico, policy="calico", direction="egress", reachable=reachable)
            dns = {"namespaceSelector": "projectcalico.org/name == 'kube-system'", "ports": [53]}
            monitoring = {"namespaceSelector": "projectcalico.org/name == 'monitoring'"}

            expect(ours(self.calico, CALICO)["spec"]["egress"]).to(
                equal(
                    [
                        {"action": "Allow", "destination": {"nets": ["10.1.0.0/16"]}},
                        {"action": "Allow", "destination": monitoring},
                        {"action": "Allow", "protocol": "UDP", "destination": dns},
                        {"action": "Allow", "protocol": "TCP", "destination": dns},
                        {"action": "Deny"},
                    ]
                )
            )

        with it("is in part where a Calico policy comes before it, or may"):
            for theirs, reason in (
                ({"order": -2_000_000}, "isolated-in-part"),
                ({"tier": "security"}, "isolated-perhaps-in-part"),
                ({"order": 5}, "isolated"),
            ):
                allow = {**CALICO_ALLOW, "spec": {**CALICO_ALLOW["spec"], **theirs}}
                cluster = a_cluster(a_replica(), allow)

                expect(run(cluster, policy="calico").reason).to(equal(reason))

        with it("is done when it is asked again, and longer for another alert"):
            for cluster, policy in ((self.cilium, "cilium"), (self.calico, "auto")):
                run(cluster, policy=policy, ttl=3600)

                expect(run(cluster, policy=policy, ttl=3600).reason).to(equal("already-isolated"))
                again = run(cluster, policy=policy, ttl=3600, now=later(NOW, 600))
                expect(again.reason).to(equal("extended"))

        with it("is undone, and ends, by that policy"):
            for cluster, policy, kind in (
                (self.cilium, "cilium", CILIUM),
                (self.calico, "calico", CALICO),
            ):
                run(cluster, policy=policy, detach=False)
                notes = cluster.ledger.contained()[UID].notes
                left = Isolation.of(the_pod(cluster), cluster, notes)

                expect(left.changes).to(be_empty)
                expect(left.release(cluster)).to(contain(f"{kind} {NAME} deleted"))
                expect(ours(cluster, kind)).to(be_none)

        with it("is found among too many also where Calico puts its tier before the name"):
            run(self.calico, policy="calico")
            stored = ours(self.calico, CALICO)
            renamed = {**stored["metadata"], "name": f"default.{NAME}"}
            self.calico.delete_network_policy(stored)
            self.calico.create_network_policy({**stored, "metadata": renamed})
            own = too_many_policies(self.calico)
            run(self.calico, policy="calico")

            names = [each["metadata"]["name"] for each in own("shop", CALICO)]
            expect(names).to(equal([renamed["name"]]))

        with it("stores a NetworkPolicy instead where the plugin's is not served, and says so"):
            outcome = run(a_cluster(a_replica()), policy="cilium")

            expect(outcome.details).not_to(have_key("policy_kind"))
            expect(outcome.message).to(contain("the cluster serves no CiliumNetworkPolicies"))

        with it("stores a NetworkPolicy instead where the account may not store the plugin's"):
            self.cilium.may_store = lambda kind, namespace: False
            outcome = run(self.cilium, policy="cilium")

            expect(self.cilium.policies).to(have_key(NAME))
            expect(outcome.message).to(contain("the account may store no CiliumNetworkPolicies"))

        with it("finds out which plugin it is, and takes a NetworkPolicy where there are two"):
            both = a_cluster(a_replica(), a_cilium_policy({}), CALICO_ALLOW)

            expect(run(self.cilium, policy="auto").details["policy_kind"]).to(equal(str(CILIUM)))
            expect(run(self.calico, policy="auto").details["policy_kind"]).to(equal(str(CALICO)))
            expect(run(both, policy="auto").details).not_to(have_key("policy_kind"))
            expect(run(a_cluster(a_replica()), policy="auto").details).not_to(
                have_key("policy_kind")
            )

    with description("and looking whether Cilium knows of it"):
        with before.each:
            self.cluster = a_cluster(a_replica(), an_endpoint("k8s:app=web"))
            self.clock = MovingClock()

        def look(self, last=False, **settings):
            given = {"confirm": 30.0, "clock": self.clock, **settings}
            if not hasattr(self, "looks"):
                self.looks = run(self.cluster, **given).follow_ups
            (follow_up,) = self.looks
            return follow_up.look(last)

        with it("looks every other second, for as long as it is set to"):
            (follow_up,) = run(self.cluster, confirm=45.0).follow_ups

            expect((follow_up.every, follow_up.until)).to(equal((2.0, 45.0)))
            expect(run(a_cluster(a_replica())).follow_ups).to(be_empty)

        with it("confirms the identity once the label is in it, and says after how long"):
            expect(self.look()).to(be_none)
            self.cluster.put(an_endpoint("k8s:app=web", f"k8s:falco/isolated={UID}"))
            self.clock.seconds += 21.4
            found = self.look()

            expect((found.status, found.reason)).to(equal((Status.LOOKED, "identity-confirmed")))
            expect(found.details["seconds"]).to(equal(21.4))
            expect(found.message).to(contain("in the identity of pod shop/web-0 after 21.4s"))

        with it("goes by this pod's own label, and not by that of another"):
            self.cluster.put(an_endpoint("k8s:falco/isolated=another"))

            expect(self.look()).to(be_none)

        with it("is unconfirmed where the label did not come in time, and says what may delay it"):
            self.look()
            self.clock.seconds += 30
            found = self.look(last=True)

            expect((found.status, found.reason)).to(equal((Status.LOOKED, "unconfirmed")))
            expect(found.message).to(contain("after 30s", "identity-max-jitter", "labels"))

        with it("does not know it of a pod without an endpoint, nor on a cluster without Cilium"):
            self.cluster.remove("CiliumEndpoint", "web-0")
            self.cluster.put({**an_endpoint(), "metadata": {"name": "x", "namespace": "shop"}})
            expect(self.look()).to(be_none)
            expect(self.look(last=True).reason).to(equal("not-known"))

            self.cluster.remove("CiliumEndpoint", "x")
            expect(self.look().reason).to(equal("not-known"))

    with description("that cannot be detached"):
        with it("keeps the labels of a StatefulSet's, and says so"):
            cluster = a_cluster(a_pod(owner="StatefulSet/db"))
            outcome = run(cluster)

            expect(the_pod(cluster).labels).to(equal({"app": "web", "falco/isolated": UID}))
            expect(outcome.message).to(contain("not detached: it belongs to StatefulSet db"))
            expect(outcome.details["undo"]).to(equal("falco-playbook undo pod/web-0 -n shop -A"))

        with it("keeps the labels of a pod without a controller"):
            expect(run(a_cluster(a_pod())).message).to(
                contain("not detached: it has no controller that would start another")
            )

        with it("keeps the labels of a pod whose claim no other could mount"):
            claim = {"volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]}
            cluster = a_cluster(a_replica(spec=claim))
            cluster.put(a_claim("data", "ReadWriteOnce"))

            expect(run(cluster).message).to(contain("could not mount its claim data"))
            expect(the_pod(cluster).labels).to(have_key("app"))

        with it("detaches a pod whose claim others can mount"):
            claim = {"volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]}
            cluster = a_cluster(a_replica(spec=claim))
            cluster.put(a_claim("data", "ReadWriteMany"))

            expect(run(cluster).message).to(contain("detached from ReplicaSet web"))

        with it("keeps the labels where the API refuses to take them off"):
            cluster = a_cluster(a_replica())
            cluster.failures["patch_pod"] = [Refused("denied by policy")] * 2
            outcome = run(cluster)

            expect(outcome.status).to(equal(Status.ACTED))
            expect(outcome.message).to(contain("not detached: the API refused"))
            expect(outcome.details["undo"]).to(equal("falco-playbook undo pod/web-0 -n shop -A"))
            expect(the_pod(cluster).labels).to(equal({**LABELS, "falco/isolated": UID}))

        with it("fails where the API refuses any patch"):
            cluster = a_cluster(a_replica())
            cluster.failures["patch_pod"] = [NotPermitted("may not")] * 2

            expect(lambda: run(cluster)).to(raise_error(NotPermitted))

    with it("keeps the labels when told to"):
        cluster = a_cluster(a_replica())
        run(cluster, detach=False)

        expect(the_pod(cluster).labels).to(equal({**LABELS, "falco/isolated": UID}))

    with description("in one direction"):
        with it("denies only that, and does not detach"):
            cluster = a_cluster(a_replica())
            run(cluster, direction="egress")

            expect(cluster.policies[NAME]["spec"]["policyTypes"]).to(equal(["Egress"]))
            expect(the_pod(cluster).labels).to(equal({**LABELS, "falco/isolated": UID}))

        with it("is widened by a later alert with more to deny"):
            cluster = a_cluster(a_replica())
            run(cluster, direction="egress")
            outcome = run(cluster)

            expect(outcome.status).to(equal(Status.ACTED))
            expect(cluster.policies[NAME]["spec"]["policyTypes"]).to(equal(["Ingress", "Egress"]))

    with description("for a time"):
        with before.each:
            self.cluster = a_cluster(a_replica())
            self.outcome = run(self.cluster, ttl=3600)

        with it("writes until when"):
            until = str(later(NOW, 3600))

            expect(the_pod(self.cluster).annotations["falco/until"]).to(equal(until))
            expect(self.outcome.details["until"]).to(equal(until))
            expect(self.outcome.message).to(contain(f"until {until}"))

        with it("makes it longer for another alert, in one patch, and says so"):
            outcome = run(self.cluster, ttl=3600, now=later(NOW, 600))

            expect((outcome.status, outcome.reason)).to(equal((Status.ACTED, "extended")))
            expect(outcome.details["undo"]).to(equal(self.outcome.details["undo"]))
            expect(self.cluster.writes[2:]).to(equal(["patch_pod"]))
            annotations = the_pod(self.cluster).annotations
            expect(annotations["falco/until"]).to(equal(str(later(NOW, 4200))))
            expect(annotations["falco/isolated-at"]).to(equal(str(NOW)))

        with it("never makes it shorter"):
            expect(run(self.cluster, ttl=60).reason).to(equal("already-isolated"))

        with it("does not write the pod for each alert of a flood"):
            outcome = run(self.cluster, ttl=3600, now=later(NOW, 9))

            expect(outcome.reason).to(equal("already-isolated"))
            expect(self.cluster.writes[2:]).to(be_empty)

        with it("keeps the later end where more is denied"):
            run(self.cluster, ttl=60, reachable=Reachable(cidrs=("10.0.0.0/8",)))

            until = the_pod(self.cluster).annotations["falco/until"]
            expect(until).to(equal(str(later(NOW, 3600))))

        with it("gives no end to an isolation that has none"):
            cluster = a_cluster(a_replica())
            run(cluster)

            expect(run(cluster, ttl=60).reason).to(equal("already-isolated"))

        with it("plans it with reads alone"):
            again = isolate_pod(self.cluster, ttl=3600, now=later(NOW, 600))
            action = again.plan(an_alert())

            expect(action.would().message).to(contain("would leave pod shop/web-0 isolated until"))
            expect(self.cluster.writes[2:]).to(be_empty)

    with it("writes the policy anew while the pod has no label, so that nobody deletes it"):
        cluster = a_cluster(a_replica())
        run(cluster)
        stale = cluster.policies[NAME]
        cluster.put(a_replica())
        run(cluster, now=later(NOW, 1))

        expect(lambda: cluster.delete_network_policy(stale)).to(raise_error(Conflict))

    with it("leaves networks reachable that must be"):
        cluster = a_cluster(a_replica())
        outcome = run(cluster, reachable=Reachable(cidrs=("10.1.0.0/16", "fd00::/8")))
        blocks = [{"ipBlock": {"cidr": "10.1.0.0/16"}}, {"ipBlock": {"cidr": "fd00::/8"}}]

        expect(cluster.policies[NAME]["spec"]["ingress"]).to(equal([{"from": blocks}]))
        expect(cluster.policies[NAME]["spec"]["egress"]).to(equal([{"to": blocks}]))
        expect(outcome.message).to(contain("of pod shop/web-0 but 10.1.0.0/16, fd00::/8"))

    with it("leaves the pods of namespaces reachable, in both directions"):
        cluster = a_cluster(a_replica())
        outcome = run(cluster, reachable=Reachable(namespaces=("monitoring",)))
        named = {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}
        peers = [{"namespaceSelector": named}]

        expect(cluster.policies[NAME]["spec"]["ingress"]).to(equal([{"from": peers}]))
        expect(cluster.policies[NAME]["spec"]["egress"]).to(equal([{"to": peers}]))
        expect(outcome.message).to(contain("of pod shop/web-0 but namespace monitoring"))

    with it("lets the pod ask the cluster's DNS, and be asked by nobody"):
        cluster = a_cluster(a_replica())
        outcome = run(cluster, reachable=Reachable(dns=True))
        named = {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}
        ports = [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]

        spec = cluster.policies[NAME]["spec"]
        expect(spec["egress"]).to(equal([{"to": [{"namespaceSelector": named}], "ports": ports}]))
        expect(spec).not_to(have_key("ingress"))
        expect(outcome.message).to(contain("of pod shop/web-0 but DNS"))

    with it("holds a pod with the network of its node for a person, and says what helps"):
        cluster = a_cluster(a_pod(spec={"hostNetwork": True}))
        outcome = run(cluster)

        expect((outcome.reason, outcome.held)).to(equal(("host-network", True)))
        expect(outcome.message).to(contain("draining node-1"))
        expect(outcome.target_ref.name).to(equal("web-0"))
        expect(cluster.writes).to(be_empty)

    with it("skips a finished pod"):
        expect(run(a_cluster(a_pod(phase="Succeeded"))).reason).to(equal("finished"))

    with it("skips a pod that went meanwhile"):
        cluster = a_cluster(a_replica())
        cluster.failures["patch_pod"] = [NotFound("gone")]

        expect(run(cluster).reason).to(equal("pod-gone"))

    with it("tries again later where somebody else stored the policy meanwhile"):
        cluster = a_cluster(a_replica())
        cluster.failures["create_network_policy"] = [AlreadyExists("there")]

        expect(lambda: run(cluster)).to(raise_error(Conflict))

    with description("where somebody took the name of its policy beforehand"):
        with before.each:
            self.cluster = a_cluster(a_replica(), a_policy(NAME, **ALLOW_ALL))

        with it("stores one under a name that nobody could know, and leaves theirs"):
            outcome = run(self.cluster)
            (name,) = set(self.cluster.policies) - {NAME}

            expect(name).to(start_with(f"{NAME}."))
            expect(self.cluster.policies[name]["spec"]["podSelector"]).to(
                equal({"matchLabels": {LABEL: UID}})
            )
            expect(self.cluster.policies[NAME]["spec"]["ingress"]).to(equal(ALLOW_ALL["ingress"]))
            expect(outcome.details["policy"]).to(equal(name))

        with it("names theirs"):
            expect(run(self.cluster).message).to(
                contain(f"NetworkPolicy {NAME} was there, and is not ours")
            )

        with it("is done when it is asked again"):
            run(self.cluster)

            expect(run(self.cluster).reason).to(equal("already-isolated"))
            expect(self.cluster.policies).to(have_len(2))

        with it("is undone by its own policy, and theirs stays"):
            run(self.cluster)
            pod = the_pod(self.cluster)
            Isolation.of(pod, self.cluster, pod.annotations).release(self.cluster)

            expect(set(self.cluster.policies)).to(equal({NAME}))

    with it("writes its own anew where somebody stored another under its name and label"):
        theirs = a_policy(NAME, **ALLOW_ALL)
        theirs["metadata"]["labels"] = {LABEL: UID}
        cluster = a_cluster(a_replica(), theirs)
        run(cluster)

        expect(cluster.policies[NAME]["spec"]["podSelector"]).to(
            equal({"matchLabels": {LABEL: UID}})
        )

    with it("plans it with reads alone"):
        cluster = a_cluster(a_replica())
        action = isolate_pod(cluster).plan(an_alert())

        expect(action.message).to(contain(f"store a policy: {NAME}"))
        expect(cluster.writes).to(be_empty)
