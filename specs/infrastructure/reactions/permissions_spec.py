"""Each playbook with a service account of its own that has what it declares, and nothing more.

The roles are those that deploy_playbook makes. Nothing here runs in a container: what counts is
what the API server permits.
"""

import json
from dataclasses import replace

from expects import be_empty, be_false, be_true, contain, equal, expect, raise_error
from mamba import after, before, description, it

from playbooks.core import catalogue
from playbooks.core.cluster.permissions import OWN
from playbooks.core.cluster.pod import Pod
from playbooks.core.errors import NotPermitted
from playbooks.core.evidence.steps import Log
from playbooks.core.ledger.limits import ledger_name
from playbooks.core.outcome import Status
from playbooks.deployment.manifests import ledger, rbac
from playbooks.infrastructure.kubernetes.cluster import KubernetesCluster
from playbooks.infrastructure.kubernetes.ledger import ConfigMapLedger
from specs.deployment.mothers import a_worker_request
from specs.support.cluster.real_cluster import (
    a_controller,
    a_fake_node,
    a_gated_pod,
    a_name,
    a_namespace,
    a_pod_manifest,
    alert_about,
    answer,
    api_of,
    cleaned_up,
    create,
    delete,
    delete_namespace,
    kubectl,
    kubectl_json,
    stored,
    token_of,
)
from specs.support.conditions import CLUSTER, not_run_unless
from specs.support.processes import eventually

CONTAINER = "1376fe875695"

# Of one ConfigMap alone, where the function is.
LEDGERS = {("", "configmaps", "get"), ("", "configmaps", "patch")}

# What belongs to no namespace: who serves webhooks and APIs.
SERVING = {
    ("admissionregistration.k8s.io", "mutatingwebhookconfigurations", "list"),
    ("admissionregistration.k8s.io", "validatingwebhookconfigurations", "list"),
    ("apiregistration.k8s.io", "apiservices", "list"),
}

# By which it knows pods of playbooks, where the function is.
OWN_PODS = {
    ("apps", "replicasets", "get"),
    ("apps", "deployments", "get"),
    ("kubeless.io", "functions", "get"),
}

# What everybody may ask about oneself.
REVIEWS = ("authorization.k8s.io", "authentication.k8s.io")


class Account:
    """The service account of a playbook, as deploy_playbook makes it."""

    def __init__(self, playbook, namespace, *, only_in=(), **values):
        declared = catalogue.load(playbook)
        request = replace(
            a_worker_request(),
            playbook=declared,
            function=a_name(),
            namespaces=only_in,
            values=values,
        )
        self.permissions, self._namespace = declared.rights(values), namespace
        kept = ledger.ledger(request, namespace)
        roles = [*rbac.roles(request, namespace), *kept[1:]]
        for role in roles:
            # By these, deploy_playbook would find that no Function is there, and sweep them.
            role["metadata"].pop("labels", None)
        self._cluster_wide = [r for r in roles if r["kind"].startswith("Cluster")]
        for role in self._cluster_wide:
            cleaned_up(role["metadata"]["name"], role["kind"])
        create(rbac.service_account(request, namespace), *kept[:1], *roles)
        self._name = request.function
        self._api = api_of(token_of(self._name, namespace))
        self.cluster = KubernetesCluster(self._api)
        place_of_ledger = {"namespace": namespace, "name": ledger_name(self._name)}
        self.ledger = ConfigMapLedger(self._api, **place_of_ledger)
        place = only_in[0] if only_in else namespace
        eventually(lambda: bool(self.rights(place)) == bool(self.permissions))

    def rights(self, namespace):
        """(group, resource, verb) of everything it may do, as the API server tells it."""
        review = self._api.post(
            *("apis", "authorization.k8s.io", "v1", "selfsubjectrulesreviews"),
            body={"spec": {"namespace": namespace}},
        )
        return {
            (group, resource, verb)
            for rule in review["status"]["resourceRules"]
            for group in rule["apiGroups"]
            for resource in rule["resources"]
            for verb in rule["verbs"]
            if group not in REVIEWS
        }

    def can_i(self, verb, resource, namespace):
        """What ``kubectl auth can-i`` says."""
        user = f"system:serviceaccount:{self._namespace}:{self._name}"
        asked = ("auth", "can-i", verb, resource, "-n", namespace, f"--as={user}", "-q")
        try:
            kubectl(*asked)
        except AssertionError:
            return False
        return True

    def removed(self):
        for role in self._cluster_wide:
            delete(role["kind"], role["metadata"]["name"])


def declared_by(account, namespace):
    here = [p for p in account.permissions if p.namespace in ("", namespace, OWN)]
    declared = {(p.group, p.resource, verb) for p in here for verb in p.verbs}
    return declared | LEDGERS if declared else declared


def by(playbook, alert, account, **settings):
    """What the playbook answers as that account, with its ledger."""
    return answer(playbook, alert, account.cluster, account.ledger, **settings)


def on_a_node(name, namespace, node):
    """A pod of which the API knows a container, as if a kubelet had said so."""
    create(a_pod_manifest(name, namespace, nodeName=node))
    status = {
        "name": "main",
        "containerID": f"containerd://{CONTAINER}{'0' * 52}",
        "image": "none",
        "imageID": "",
        "lastState": {},
        "ready": True,
        "restartCount": 0,
        "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
    }
    patch = json.dumps({"status": {"phase": "Running", "containerStatuses": [status]}})
    return kubectl_json(
        *("patch", "pod", name, "-n", namespace, "--subresource=status", "--type=merge"),
        *("-p", patch),
    )


def without_names(pod):
    """An alert that names a node and a container only, so that pods have to be listed."""
    return alert_about(pod, fields={"k8s.ns.name": None, "k8s.pod.name": None})


def a_replica(kind, namespace, **pod):
    """A pod that a controller made, and that is never scheduled."""
    name = a_name()
    create(a_controller(kind, name, namespace, gated=True, **pod))

    def made():
        found = kubectl_json("get", "pods", "-n", namespace, "-l", f"app={name}")["items"]
        assert found, f"{kind} {name} has made no pod"
        return found[0]

    return eventually(made)


def a_claim(namespace):
    storage = {"requests": {"storage": "1Mi"}}
    name = a_name()
    create(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "accessModes": ["ReadWriteMany"],
                "resources": storage,
                "storageClassName": a_name(),
            },
        }
    )
    return name


def everybody(namespace):
    """The account of each playbook."""
    return {name: Account(name, namespace) for name in ("delete", "taint", "isolate", "slack")}


with description("A playbook with a service account of its own") as self:
    with before.all:
        self.namespace, self.node = a_namespace(), a_fake_node()
        self.accounts = everybody(self.namespace)
        self.pod = on_a_node("bound", self.namespace, self.node)

    with after.all:
        for account in self.accounts.values():
            account.removed()
        delete_namespace(self.namespace)
        delete("node", self.node)

    with it("has exactly the rights that it declares"):
        for account in self.accounts.values():
            expect(account.rights(self.namespace)).to(equal(declared_by(account, self.namespace)))

    with it("writes Events about nodes in the namespace default, where it has no other right"):
        account = self.accounts["taint"]

        expect(account.can_i("create", "events.events.k8s.io", "default")).to(be_true)
        expect(account.can_i("create", "events.events.k8s.io", self.namespace)).to(be_false)
        expect(account.can_i("create", "events", "default")).to(be_false)

    with it("has none where it declares none"):
        expect(self.accounts["slack"].rights(self.namespace)).to(be_empty)

    with it("hears yes to its own verbs from kubectl auth can-i, and no to the jobs of others"):
        jobs = {
            "delete": ("delete", "pods"),
            "taint": ("patch", "nodes"),
            "isolate": ("create", "networkpolicies"),
        }
        for name, account in self.accounts.items():
            heard = {job for job, ask in jobs.items() if account.can_i(*ask, self.namespace)}
            expect(heard).to(equal({name} & set(jobs)))

    with it("deletes a pod with delete's"):
        pod = a_gated_pod("deleted", self.namespace)
        outcome = by("delete", alert_about(pod), self.accounts["delete"])

        expect(outcome.status).to(equal(Status.ACTED))
        expect(stored("pod", "deleted", self.namespace)).to(equal(None))

    with it("finds the pod of a container by listing with delete's"):
        outcome = answer(
            "delete", without_names(self.pod), self.accounts["delete"].cluster, DRY_RUN="true"
        )

        expect(outcome.status).to(equal(Status.WOULD_ACT))

    with it("reads logs and Events with delete's where evidence is kept, and only there"):
        keeping = Account("delete", self.namespace, EVIDENCE_URL="s3://evidence")
        pod = Pod(a_gated_pod("seen", self.namespace))
        limits = {"previous": False, "most_bytes": 1000, "seconds": 5}

        expect(keeping.cluster.log(pod, "main", **limits)).to(equal(Log(b"")))
        keeping.cluster.events_of(pod, seconds=5)
        expect(keeping.rights(self.namespace)).to(equal(declared_by(keeping, self.namespace)))
        for read in (
            lambda cluster: cluster.log(pod, "main", **limits),
            lambda cluster: cluster.events_of(pod, seconds=5),
        ):
            expect(lambda read=read: read(self.accounts["delete"].cluster)).to(
                raise_error(NotPermitted)
            )
        keeping.removed()

    with it("taints a node with taint's"):
        outcome = by(
            "taint",
            without_names(self.pod),
            self.accounts["taint"],
            TAINT_KEY="falco-spec/permitted",
        )

        expect(outcome.status).to(equal(Status.ACTED))
        keys = [t["key"] for t in stored("node", self.node)["spec"]["taints"]]
        expect(keys).to(contain("falco-spec/permitted"))

    with it("isolates a replica with isolate's, whatever has to be read for that"):
        volume = {"name": "data", "persistentVolumeClaim": {"claimName": a_claim(self.namespace)}}
        pod = a_replica("Deployment", self.namespace, volumes=[volume])
        outcome = by("isolate", alert_about(pod), self.accounts["isolate"])

        expect(outcome.reason).to(equal("isolated"))
        expect(outcome.message).to(contain("detached from ReplicaSet"))

    with it("isolates a ReplicationController's pod with isolate's"):
        pod = a_replica("ReplicationController", self.namespace)
        outcome = answer("isolate", alert_about(pod), self.accounts["isolate"].cluster)

        expect(outcome.reason).to(equal("isolated"))
        expect(outcome.message).to(contain("detached from ReplicationController"))

    with it("widens its own policy with isolate's"):
        pod = a_gated_pod("widened", self.namespace)
        cluster = self.accounts["isolate"].cluster
        first = answer("isolate", alert_about(pod), cluster, ISOLATE_DIRECTION="egress")
        second = answer("isolate", alert_about(pod), cluster)

        expect([first.reason, second.reason]).to(equal(["isolated", "isolated"]))
        policy = stored("networkpolicy", second.details["policy"], self.namespace)
        expect(policy["spec"]["policyTypes"]).to(equal(["Ingress", "Egress"]))

    with it("cannot delete a pod with any other's"):
        for name in ("taint", "isolate", "slack"):
            outcome = answer("delete", alert_about(self.pod), self.accounts[name].cluster)
            # A guard that may not read what it asks for lets nothing pass either.
            expect(["not-permitted", "guard-unanswered"]).to(contain(outcome.reason))
        found = stored("pod", "bound", self.namespace)["metadata"]
        expect(found.get("deletionTimestamp")).to(equal(None))

    with it("cannot taint a node with any other's"):
        for name in ("delete", "isolate", "slack"):
            outcome = answer(
                "taint",
                alert_about(self.pod),
                self.accounts[name].cluster,
                TAINT_KEY="falco-spec/forbidden",
            )
            expect(outcome.reason).to(equal("not-permitted"))
        keys = [t["key"] for t in stored("node", self.node)["spec"]["taints"]]
        expect(keys).not_to(contain("falco-spec/forbidden"))

    with it("cannot isolate a pod with any other's"):
        for name in ("delete", "taint", "slack"):
            outcome = answer("isolate", alert_about(self.pod), self.accounts[name].cluster)
            expect(outcome.reason).to(equal("not-permitted"))
        labels = stored("pod", "bound", self.namespace)["metadata"].get("labels") or {}
        expect(list(labels)).not_to(contain("falco/isolated"))


with description("A playbook whose NAMESPACES are names") as self:
    with before.all:
        self.namespace, self.elsewhere, self.node = a_namespace(), a_namespace(), a_fake_node()
        limit = {"only_in": (self.namespace,)}
        self.delete = Account("delete", self.elsewhere, **limit)
        self.taint = Account("taint", self.elsewhere, **limit)
        self.settings = {"NAMESPACES": self.namespace}
        self.pod = on_a_node("inside", self.namespace, self.node)
        self.outside = a_gated_pod("outside", self.elsewhere)

    with after.all:
        for account in (self.delete, self.taint):
            account.removed()
        delete_namespace(self.namespace)
        delete_namespace(self.elsewhere)
        delete("node", self.node)

    with it("does its job in these, and finds pods there by listing"):
        settings = {**self.settings, "DRY_RUN": "true"}
        found = answer("delete", without_names(self.pod), self.delete.cluster, **settings)
        pod = a_gated_pod("deleted", self.namespace)
        outcome = by("delete", alert_about(pod), self.delete, **self.settings)

        expect(found.status).to(equal(Status.WOULD_ACT))
        expect(outcome.status).to(equal(Status.ACTED))

    with it("taints the nodes of pods in these, although nodes are in none"):
        outcome = by(
            "taint",
            alert_about(self.pod),
            self.taint,
            TAINT_KEY="falco-spec/limited",
            **self.settings,
        )

        expect(outcome.status).to(equal(Status.ACTED))

    with it("has no rights in others, whatever its settings say then"):
        outcome = answer("delete", alert_about(self.outside), self.delete.cluster)

        expect(outcome.reason).to(equal("not-permitted"))
        expect(self.delete.rights(self.elsewhere)).to(equal(LEDGERS | SERVING | OWN_PODS))
        expect(self.delete.can_i("delete", "pods", self.elsewhere)).to(equal(False))
        expect(self.delete.can_i("delete", "pods", self.namespace)).to(equal(True))


not_run_unless(CLUSTER, globals())
