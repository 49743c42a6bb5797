"""What isolating says of policies of others, of the kinds that network plugins bring.

The API server has their own definitions, and objects as people write them. No Cilium and no Calico
is there: what these do with the objects is what their documentation says.
"""

import json

from expects import contain, contain_only, equal, expect
from mamba import after, before, description, it

from playbooks.infrastructure.kubernetes.cluster import KubernetesCluster
from specs.support.cluster.policy_definitions import POLICY_DEFINITIONS, PolicyDefinitions
from specs.support.cluster.real_cluster import (
    a_name,
    a_namespace,
    a_pod_manifest,
    alert_about,
    answer,
    api_of,
    create,
    delete_namespace,
    token_of,
)
from specs.support.conditions import not_run_unless

ALLOW = [{"action": "Allow"}]


def objects(namespace, name):
    """One of each kind that selects the pod and allows; names of their kinds, as they are shown."""
    here = {"name": name, "namespace": namespace}
    mine = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    of_namespace = {"matchLabels": {"k8s:io.kubernetes.pod.namespace": namespace}}
    calico, admin = "crd.projectcalico.org/v1", "policy.networking.k8s.io"
    every = [{"namespaces": {}}]
    return {
        "CiliumNetworkPolicy": {
            "apiVersion": "cilium.io/v2",
            "metadata": here,
            "spec": {"endpointSelector": {}, "ingress": [{"fromEntities": ["cluster"]}]},
        },
        "CiliumClusterwideNetworkPolicy": {
            "apiVersion": "cilium.io/v2",
            "metadata": {"name": name},
            "spec": {
                "endpointSelector": of_namespace,
                "egress": [{"toFQDNs": [{"matchName": "updates.example"}]}],
            },
        },
        "Calico NetworkPolicy": {
            "apiVersion": calico,
            "metadata": here,
            "spec": {"order": 10, "selector": "has(team)", "types": ["Egress"], "egress": ALLOW},
        },
        "Calico GlobalNetworkPolicy": {
            "apiVersion": calico,
            "metadata": {"name": name},
            "spec": {
                "namespaceSelector": f"projectcalico.org/name == '{namespace}'",
                "types": ["Ingress"],
                "ingress": ALLOW,
            },
        },
        "AdminNetworkPolicy": {
            "apiVersion": f"{admin}/v1alpha1",
            "metadata": {"name": name},
            "spec": {
                "priority": 1000,
                "subject": {"namespaces": mine},
                "ingress": [{"action": "Allow", "from": every}],
            },
        },
        "ClusterNetworkPolicy": {
            "apiVersion": f"{admin}/v1alpha2",
            "metadata": {"name": name},
            "spec": {
                "tier": "Admin",
                "priority": 1000,
                "subject": {"namespaces": mine},
                "ingress": [{"action": "Accept", "from": every}],
            },
        },
    }


def asked(pod, **given):
    return answer("isolate", alert_about(pod), DRY_RUN="true", **given)


def an_account(namespace):
    """Who may read what isolating needs, and of policies NetworkPolicies alone."""
    name = a_name()
    reads = (("", ["pods", "services", "namespaces"]), ("networking.k8s.io", ["*"]))
    rules = [
        {"apiGroups": [group], "resources": resources, "verbs": ["get", "list"]}
        for group, resources in reads
    ]
    rbac = "rbac.authorization.k8s.io"
    subject = {"kind": "ServiceAccount", "name": name, "namespace": namespace}
    create(
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": name, "namespace": namespace},
        },
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "Role",
            "metadata": {"name": name, "namespace": namespace},
            "rules": rules,
        },
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": name, "namespace": namespace},
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": name},
            "subjects": [subject],
        },
    )
    return KubernetesCluster(api_of(token_of(name, namespace)))


with description("Isolating, where the API server serves policies of every kind,") as self:
    with before.all:
        self.namespace, self.name = a_namespace(), a_name()
        (self.pod,) = create(
            a_pod_manifest("web", self.namespace, labels={"team": "blue"}, gated=True)
        )
        self.account = an_account(self.namespace)
        made = objects(self.namespace, self.name)
        self.kinds = list(made)
        with PolicyDefinitions(
            "ciliumnetworkpolicies",
            "ciliumclusterwidenetworkpolicies",
            "crd.projectcalico.org_networkpolicies",
            "crd.projectcalico.org_globalnetworkpolicies",
            "policy.networking.k8s.io_adminnetworkpolicies",
            "policy.networking.k8s.io_clusternetworkpolicies",
        ):
            self.alone = asked(self.pod)
            create(*({**m, "kind": kind.split()[-1]} for kind, m in made.items()))
            self.allowed = asked(self.pod)
            self.unread = asked(self.pod, cluster=self.account)

    with after.all:
        delete_namespace(self.namespace)

    with it("finds none that allows while there is none"):
        expect(self.alone.message).to(contain("denies all ingress and egress"))
        expect(self.alone.details["still_allowing"]).to(equal([]))

    with it("names each that allows, with its kind"):
        found = [f"{kind} {self.name}" for kind in self.kinds]

        expect(self.allowed.details["still_allowing"]).to(contain_only(*found))
        expect(json.dumps(self.allowed.details)).not_to(contain("may_still_allow"))

    with it("says what may still allow traffic to an account that may not read it"):
        expect(self.unread.details["still_allowing"]).to(equal([]))
        expect(self.unread.details["may_still_allow"]).to(
            contain_only(
                *(f"{kind[:-1]}ies (not read: not-permitted)" for kind in self.kinds),
            )
        )
        expect(self.unread.message).not_to(contain("denies all"))


not_run_unless(POLICY_DEFINITIONS, globals())
