"""Revoking objects on a real cluster: what is deleted, what stays, how it is created again, and
what the playbook's own account may do on a cluster that was set up."""

from functools import partial

from expects import contain, equal, expect
from mamba import after, before, description, it

from playbooks.core.cluster.api_object import kind_of
from playbooks.infrastructure.kubernetes.cluster import KubernetesCluster
from playbooks.testing import an_alert
from specs.support.cluster.admission import HeldAccount, in_force, refusal_of
from specs.support.cluster.real_cluster import (
    a_name,
    a_namespace,
    answer,
    create,
    delete,
    delete_namespace,
    kubectl_json,
)
from specs.support.conditions import CLUSTER, not_run_unless
from specs.support.programs import falco_playbook

LATER = "2037-01-01T00:00:00Z"

RBAC = "rbac.authorization.k8s.io"


def a_binding(name, namespace="", kind="RoleBinding", **metadata):
    place = {"namespace": namespace} if namespace else {}
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": kind,
        "metadata": {"name": name, **place, **metadata},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "User", "apiGroup": RBAC, "name": "spec-mallory"}],
    }


def an_audit(made, **changes):
    """As Falco reports that it was created, in the second in which it was."""
    kind, metadata = kind_of(made["kind"]), made["metadata"]
    path = "/".join(kind.path(metadata.get("namespace", "")))
    fields = {
        "ka.verb": "create",
        "ka.uri": f"/{path}?fieldManager=kubectl-create",
        "ka.response.code": "201",
        "ka.target.resource": kind.resource,
        "ka.target.namespace": metadata.get("namespace"),
        "ka.target.name": metadata["name"],
        **changes,
    }
    return an_alert(fields, source="k8s_audit", time=metadata["creationTimestamp"])


def deleted(api, namespace, name, **preconditions):
    """Try to delete a RoleBinding, in a dry run."""
    body = {"kind": "DeleteOptions", "apiVersion": "v1", "dryRun": ["All"]}
    if preconditions:
        body["preconditions"] = preconditions
    path = ("apis", RBAC, "v1", "namespaces", namespace, "rolebindings", name)
    return api.delete(*path, body=body)


def there(kind, namespace=""):
    where = ("-n", namespace) if namespace else ()
    return [found["metadata"]["name"] for found in kubectl_json("get", kind, *where)["items"]]


with description("Revoking an object") as self:
    with before.all:
        self.namespace = a_namespace()
        self.of_cluster = a_name()
        self.ledger = {"LEDGER": f"{self.namespace}/revoked", "MAX_ALERT_AGE": "off"}

    with after.all:
        delete("clusterrolebinding", self.of_cluster)
        delete_namespace(self.namespace)

    def revoke(self, alert, **settings):
        return answer("revoke", alert, KubernetesCluster(), **self.ledger, **settings)

    with it("deletes a binding, which undo creates again, and leaves that one alone"):
        (made,) = create(a_binding("mine", self.namespace, labels={"team": "a"}))
        outcome = self.revoke(an_audit(made))

        expect((outcome.reason, outcome.error)).to(equal(("revoked", None)))
        expect(there("rolebinding", self.namespace)).to(equal([]))
        undo = outcome.details["undo"].split()[1:]
        code, said = falco_playbook(*undo, "--ledger", self.ledger["LEDGER"])
        expect(code).to(equal(0))
        expect(said).to(contain(f"rolebinding {self.namespace}/mine: created again"))
        again = kubectl_json("get", "rolebinding", "mine", "-n", self.namespace)
        expect(again["subjects"]).to(equal(made["subjects"]))
        expect(again["metadata"]["labels"]).to(equal({"team": "a"}))
        expect(self.revoke(an_audit(again)).reason).to(equal("undone"))

    with it("deletes what belongs to no namespace"):
        (made,) = create(a_binding(self.of_cluster, kind="ClusterRoleBinding"))

        expect(self.revoke(an_audit(made)).reason).to(equal("revoked"))
        expect(self.of_cluster in there("clusterrolebinding")).to(equal(False))

    with it("leaves one of a later second, of a dry run, and one that is not listed"):
        (made,) = create(a_binding("stays", self.namespace))
        uri = an_audit(made).fields["ka.uri"]
        later = {**made, "metadata": {**made["metadata"], "creationTimestamp": LATER}}

        expect(self.revoke(an_audit(later)).reason).to(equal("not-the-same-object"))
        dry = self.revoke(an_audit(made, **{"ka.uri": f"{uri}&dryRun=All"}))
        expect(dry.reason).to(equal("not-created"))
        expect(self.revoke(an_audit(made), REVOKE_KINDS="Secret").reason).to(
            equal("kind-not-listed")
        )
        expect(there("rolebinding", self.namespace)).to(contain("stays"))

    with it("says that one with finalizers is there until they are taken off"):
        (made,) = create(a_binding("kept", self.namespace, finalizers=["spec.example/kept"]))
        outcome = self.revoke(an_audit(made))

        expect(outcome.reason).to(equal("deletion-accepted"))
        expect(self.revoke(an_audit(made)).reason).to(equal("terminating"))
        patched = {"metadata": {"finalizers": None}}
        KubernetesCluster()._api.patch(
            "apis", RBAC, "v1", "namespaces", self.namespace, "rolebindings", "kept", body=patched
        )


with description("The account of revoke, on a cluster that was set up,") as self:
    with before.all:
        self.account = HeldAccount("revoke")
        self.api, self.namespace = self.account.api, self.account.namespace
        metadata = {"labels": {"kubernetes.io/bootstrapping": "rbac-defaults"}}
        create(a_binding("bootstrapped", self.namespace, **metadata))
        (self.made,) = create(a_binding("mine", self.namespace))
        self.place = (self.api, self.namespace)
        in_force(partial(deleted, *self.place, "bootstrapped"), "revoke-objects-delete")

    with after.all:
        self.account.end()

    with it("deletes an object by its uid alone, and nothing that the cluster makes of itself"):
        uid = self.made["metadata"]["uid"]
        stays = kubectl_json("get", "rolebinding", "bootstrapped", "-n", self.namespace)

        deleted(*self.place, "mine", uid=uid)
        expect(refusal_of(lambda: deleted(*self.place, "mine"))).to(contain("uid as precondition"))
        expect(
            refusal_of(lambda: deleted(*self.place, "bootstrapped", uid=stays["metadata"]["uid"]))
        ).to(contain("that the cluster makes of itself"))

    with it("has no right on a kind that is not listed"):
        path = ("api", "v1", "namespaces", self.namespace, "serviceaccounts", "default")
        body = {"kind": "DeleteOptions", "apiVersion": "v1", "dryRun": ["All"]}

        expect(refusal_of(lambda: self.api.delete(*path, body=body))).to(contain("cannot delete"))


not_run_unless(CLUSTER, globals())
