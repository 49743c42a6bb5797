from expects import be_below, be_empty, contain, equal, expect
from mamba import before, description, it

from playbooks.core.cluster.manifest import REMOVING
from playbooks.core.errors import (
    NotPermitted,
    PlaybookError,
)
from playbooks.deployment.apply.deploy import deploy
from playbooks.deployment.apply.orphaned_roles import remove_orphans
from playbooks.deployment.removal.remove import remove
from specs.deployment.fake_objects import FakeObjects
from specs.deployment.mothers import a_request, a_slack_request, objects, run, worker_objects


def removed(cluster, function="falco-delete"):
    return remove(cluster, function, "default", sleep=lambda seconds: None)[0]


with description("Removing") as self:
    with before.each:
        self.cluster = FakeObjects()
        deploy(self.cluster, objects(a_request("delete", "-e", "NAMESPACES=shop")))

    with it("removes everything that was deployed"):
        removed(self.cluster)

        expect(self.cluster.names).to(be_empty)

    with it("removes what kubectl applied, which nobody owns"):
        cluster = FakeObjects(*objects(a_slack_request()).in_order)
        removed(cluster, "falco-slack")

        expect(cluster.names).to(be_empty)

    with it("leaves to Kubeless what its controller made, and takes the ledger all the same"):
        made_by_kubeless = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": "falco-delete",
                "namespace": "default",
                "labels": {"created-by": "kubeless", "function": "falco-delete"},
            },
        }
        cluster = FakeObjects(*objects().in_order, made_by_kubeless)
        function = cluster.the("Function", "falco-delete")
        function["metadata"]["finalizers"] = ["kubeless.io/function"]
        removed(cluster)

        expect(cluster.names).to(equal(["ConfigMap falco-delete"]))

    with it("removes the ledger for who may not list anything, too"):
        cluster = FakeObjects(*objects().in_order)
        cluster.failures["deployments.apps"] = NotPermitted("you may not")
        removed(cluster)

        expect(cluster.names).to(be_empty)

    with it("marks the Function, so that its workers delete their consumers as they end"):
        cluster = FakeObjects()
        deploy(cluster, worker_objects())
        cluster.calls.clear()
        removed(cluster)
        marked = cluster.changes.index(("patch", "Function falco-delete"))

        expect(marked).to(be_below(cluster.changes.index(("delete", "Deployment falco-delete"))))

    with it("says which workers do not end before they lose their rights"):
        cluster = FakeObjects()
        deploy(cluster, worker_objects())
        labels = {"created-by": "kubeless", "function": "falco-delete"}
        place = {"name": "falco-delete-1", "namespace": "default", "labels": labels}
        cluster.create([{"apiVersion": "v1", "kind": "Pod", "metadata": place}])
        done = run("-x", "-E", "kubernetes", "-p", "delete", cluster=cluster)

        expect(done.err).to(contain("Pod default/falco-delete-1 still runs, and loses its rights"))
        expect(done.out).to(contain("removed   Function default/falco-delete"))

    with it("is forgotten by the next deployment where it did not end"):
        cluster = FakeObjects()
        deploy(cluster, worker_objects())
        cluster.the("Function", "falco-delete")["metadata"]["annotations"] = {REMOVING: "true"}
        deploy(cluster, worker_objects())

        expect(cluster.the("Function", "falco-delete")["metadata"]["annotations"]).to(be_empty)

    with it("says what it removed"):
        expect(removed(self.cluster)).to(
            contain("Function default/falco-delete", "Role shop/falco-delete.default")
        )

    with it("removes a Function that somebody annotated as one to which alerts are pushed"):
        metadata = self.cluster.the("Function", "falco-delete")["metadata"]
        metadata["annotations"] = {"falco/engine": "gcf"}
        done = run("remove", "-p", "delete", cluster=self.cluster)

        expect((done.code, done.err)).to(equal((0, "")))
        expect(self.cluster.names).to(be_empty)

    with it("removes what is left where some is gone"):
        del self.cluster.objects["Function", "default", "falco-delete"]
        removed(self.cluster)

        expect(self.cluster.names).to(be_empty)

    with it("finds nothing where nothing is"):
        expect(removed(FakeObjects())).to(be_empty)

    with it("leaves another deployment of the same playbook alone"):
        deploy(self.cluster, objects(a_request("delete", "-N", "delete-two")))
        removed(self.cluster)

        expect([name for name in self.cluster.names if "delete-two" in name]).to(
            equal(self.cluster.names)
        )

    with it("leaves an object of that name alone that is not ours"):
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "falco-delete", "namespace": "default"},
        }
        self.cluster._store(secret, uid="x")
        removed(self.cluster)

        expect(self.cluster.names).to(equal(["Secret falco-delete"]))

    with it("does not wait for ever for what nobody finalizes, and says so"):
        self.cluster.finalizer = True
        try:
            removed(self.cluster)
            said = "no error"
        except PlaybookError as error:
            said = str(error)

        expect(said).to(
            contain(
                "Function default/falco-delete is still being deleted", "kubectl patch function"
            )
        )

    with it("goes on where it may not remove one, and says so"):
        self.cluster.failures["delete", "Role"] = NotPermitted("you may not")
        try:
            removed(self.cluster)
            said = "no error"
        except PlaybookError as error:
            said = str(error)

        expect(said).to(contain("Role shop/falco-delete.default: you may not"))
        expect(self.cluster.names).to(equal(["Role falco-delete.default"]))


with description("Removing orphans") as self:
    with before.each:
        self.cluster = FakeObjects()
        deploy(self.cluster, objects(a_request("delete", "-e", "NAMESPACES=shop")))

    with it("removes roles and bindings whose function is gone"):
        deploy(self.cluster, objects(a_request("taint")))
        self.cluster.delete(self.cluster.the("Function", "falco-delete"))
        orphans = remove_orphans(self.cluster)[0]

        expect(orphans).to(
            equal(["Role shop/falco-delete.default", "RoleBinding shop/falco-delete.default"])
        )
        expect(self.cluster.names).to(contain("ClusterRole falco-taint.default"))

    with it("keeps those of functions that are there"):
        expect(remove_orphans(self.cluster)).to(equal(([], [])))

    with it("keeps those of a function in another namespace, with the same name"):
        deploy(self.cluster, objects(a_request("delete"), namespace="ops"))
        removed(self.cluster)

        expect(remove_orphans(self.cluster)).to(equal(([], [])))
        expect(self.cluster.names).to(contain("ClusterRole falco-delete.ops"))

    with it("removes nothing where functions cannot be listed, and says so"):
        self.cluster.failures["functions.kubeless.io"] = NotPermitted("you may not")
        removed_roles, warnings = remove_orphans(self.cluster)

        expect(removed_roles).to(be_empty)
        expect(warnings[0]).to(contain("roles that were left behind: you may not ("))
