"""Isolating by policies of Cilium and of Calico, where the API server serves them: what it stores
of them, what undoes and ends them, and what a token of the account can store.

No plugin is there that enforces them: what they deny is what those plugins' documentation says.
"""

import time

from expects import be_none, contain, equal, expect
from mamba import after, before, description, it

from playbooks.core.cluster.network_policy import Reachable
from playbooks.core.cluster.pod import Pod
from playbooks.core.cluster.policies.denying import isolating
from playbooks.core.cluster.policies.kinds import CALICO, CILIUM
from playbooks.core.containment.expiry import Expiry
from playbooks.core.containment.isolation import Isolation
from playbooks.core.instant import NANOSECONDS, Instant
from playbooks.infrastructure.kubernetes.cluster import KubernetesCluster
from playbooks.infrastructure.ledger import StoredLedger
from playbooks.testing import FixedClock, InMemoryLedger
from specs.support.cluster.admission import HeldAccount, refusal_of
from specs.support.cluster.policy_definitions import POLICY_DEFINITIONS, PolicyDefinitions
from specs.support.cluster.real_cluster import (
    a_pod_manifest,
    alert_about,
    answer,
    create,
    stored,
)
from specs.support.conditions import not_run_unless
from specs.support.processes import eventually

SETTINGS = {
    "ISOLATE_ALLOW_CIDRS": "10.1.0.0/16,fd00::/8",
    "ISOLATE_ALLOW_NAMESPACES": "monitoring",
    "ISOLATE_ALLOW_DNS": "true",
    "ISOLATE_TTL": "1h",
}
REACHABLE = Reachable(("10.1.0.0/16", "fd00::/8"), ("monitoring",), dns=True)

KINDS = {"cilium": CILIUM, "calico": CALICO}
BOTH = ("Ingress", "Egress")


def everything(kind):
    """Specs that would let through more than the settings do, and the words that refuse each."""
    if kind == CILIUM:
        dns = {"matchLabels": {"k8s:io.kubernetes.pod.namespace": "kube-system"}}
        ports = [{"ports": [{"port": "443"}]}]
        return (
            ({"ingress": [{"fromEntities": ["all"]}]}, "networks and namespaces only"),
            ({"ingress": [{"fromEndpoints": [{}]}]}, "networks and namespaces only"),
            ({"egress": [{"toCIDR": ["0.0.0.0/0"]}]}, "networks and namespaces only"),
            ({"egress": [{"toPorts": ports}]}, "networks and namespaces only"),
            ({"egress": [{"toCIDRSet": [{"cidr": "0.0.0.0/0"}]}]}, "ISOLATE_ALLOW_CIDRS only"),
            ({"egress": [{"toEndpoints": [dns]}]}, "ISOLATE_ALLOW_NAMESPACES only"),
            ({"egress": [{"toEndpoints": [dns], "toPorts": ports}]}, "NAMESPACES only"),
            ({"ingressDeny": None}, "the traffic of ISOLATE_DIRECTION"),
            ({"enableDefaultDeny": {"ingress": False}}, "the traffic of ISOLATE_DIRECTION"),
            ({"endpointSelector": {}}, "exactly one isolated pod"),
        )
    allow, deny = {"action": "Allow"}, {"action": "Deny"}
    system = "projectcalico.org/name == 'kube-system'"
    to = {"namespaceSelector": system}
    return (
        ({"ingress": [allow, deny]}, "networks and namespaces only"),
        ({"ingress": [{**allow, "destination": {"nets": ["10.1.0.0/16"]}}, deny]}, "networks and"),
        ({"ingress": [{**allow, "source": {"selector": "all()"}}, deny]}, "networks and namesp"),
        ({"ingress": [{"action": "Pass"}, deny]}, "networks and namespaces only"),
        ({"egress": [{**allow, "destination": {"nets": ["0.0.0.0/0"]}}, deny]}, "_CIDRS only"),
        ({"egress": [{**allow, "destination": to}, deny]}, "ISOLATE_ALLOW_NAMESPACES only"),
        (
            {"egress": [{**allow, "protocol": "TCP", "destination": {**to, "ports": [1]}}, deny]},
            "ISOLATE_ALLOW_NAMESPACES only",
        ),
        ({"ingress": [{**deny, "protocol": "TCP"}]}, "the traffic of"),
        ({"order": 2000}, "before others"),
        ({"selector": "all()"}, "exactly one isolated pod"),
    )


class Seen:
    """What became of a pod that is isolated by a policy of one kind, step by step, while its kind
    is served."""

    def __init__(self, pod, name, api):
        self.pod, self.kind = pod, KINDS[name]
        self.api, self.cluster, self.ledger = api, KubernetesCluster(api), InMemoryLedger()
        self.settings = {**SETTINGS, "ISOLATE_POLICY": name}
        self.refused = [
            (spec, words, eventually(lambda s=spec: refusal_of(lambda: self.store(**s))))
            for spec, words in everything(self.kind)
        ]
        self.store()
        self.outcome = self.isolated()
        self.policy = self.stored()
        self.again = self.isolated()
        notes = StoredLedger(self.ledger).contained()[Pod(pod).uid].notes
        self.changes = Isolation.of(self.pod_now(), self.cluster, notes).changes
        self.expired = [outcome.reason for outcome in self.end()]
        self.left = self.stored()

    def isolated(self):
        alert = alert_about(self.pod)
        return answer("isolate", alert, self.cluster, self.ledger, **self.settings)

    def store(self, **spec):
        """Try to store a policy as the playbook makes it, but for this, in a dry run."""
        made = isolating(self.kind, Pod(self.pod), BOTH, REACHABLE)
        made["spec"] = {k: v for k, v in {**made["spec"], **spec}.items() if v is not None}
        place = ("apis", self.kind.group, self.kind.version, "namespaces")
        namespace = self.pod["metadata"]["namespace"]
        return self.api.post(*place, namespace, self.kind.resource, body=made, dryRun="All")

    def stored(self):
        name = f"falco-isolate-{Pod(self.pod).uid}"
        resource = f"{self.kind.resource}.{self.kind.group}"
        return stored(resource, name, self.pod["metadata"]["namespace"])

    def pod_now(self):
        metadata = self.pod["metadata"]
        return Pod(stored("pod", metadata["name"], metadata["namespace"]))

    def end(self):
        later = FixedClock(Instant(time.time_ns() + 2 * 3600 * NANOSECONDS))
        ledger = StoredLedger(self.ledger)
        return list(Expiry([Isolation], self.cluster, later, ledger).once())


with description("Isolating by the policies of network plugins, on a real API server,") as self:
    with before.all:
        self.account = HeldAccount("isolate", **SETTINGS, ISOLATE_POLICY="auto")
        ns = self.account.namespace
        names = (*KINDS, "auto")
        pods = create(*(a_pod_manifest(n, ns, labels={"app": n}, gated=True) for n in names))
        self.pods = dict(zip(names, pods))
        self.seen = {}
        with PolicyDefinitions("ciliumnetworkpolicies", "projectcalico.org_networkpolicies"):
            for name in KINDS:
                self.seen[name] = Seen(self.pods[name], name, self.account.api)
            # Nothing tells which one of both is enforced.
            alert = alert_about(self.pods["auto"])
            self.auto = answer("isolate", alert, self.account.cluster, ISOLATE_POLICY="auto")

    with after.all:
        self.account.end()

    with it("stores one of the plugin's kind that the pod owns, and is done when asked again"):
        for seen in self.seen.values():
            (owner,) = seen.policy["metadata"]["ownerReferences"]

            expect((seen.outcome.reason, seen.outcome.error)).to(equal(("isolated", None)))
            expect(seen.outcome.details["policy_kind"]).to(equal(str(seen.kind)))
            expect(owner["uid"]).to(equal(Pod(seen.pod).uid))
            expect(seen.again.reason).to(equal("already-isolated"))

    with it("sees no edit where there is none, and takes the policy away at its end"):
        for seen in self.seen.values():
            expect(seen.changes).to(equal([]))
            expect(seen.expired).to(equal(["released"]))
            expect(seen.left).to(be_none)

    with it("holds the account to what its settings leave reachable, and to its own pod"):
        for seen in self.seen.values():
            for _, words, said in seen.refused:
                expect(said).to(contain(words))

    with it("stores a NetworkPolicy where two plugins' are served"):
        expect(self.auto.reason).to(equal("isolated"))
        expect("policy_kind" in self.auto.details).to(equal(False))


not_run_unless(POLICY_DEFINITIONS, globals())
