from expects import be_empty, contain, equal, expect
from mamba import before, description, it

from playbooks.core.errors import PlaybookError
from playbooks.deployment.apply.deploy import deploy
from playbooks.deployment.apply.orphaned_roles import remove_orphans
from playbooks.deployment.apply.remove import remove
from playbooks.deployment.kubectl import Forbidden
from specs.deployment.fake_kubectl import FakeKubectl
from specs.deployment.mothers import a_request, a_slack_request, objects


def removed(kubectl, function="falco-delete"):
    return remove(kubectl, function, "default", sleep=lambda seconds: None)[0]


with description("Removing") as self:
    with before.each:
        self.kubectl = FakeKubectl()
        deploy(self.kubectl, objects(a_request("delete", "-e", "NAMESPACES=shop")))

    with it("removes everything that was deployed"):
        removed(self.kubectl)

        expect(self.kubectl.names).to(be_empty)

    with it("removes what kubectl applied, which nobody owns"):
        kubectl = FakeKubectl(*objects(a_slack_request()).in_order)
        removed(kubectl, "falco-slack")

        expect(kubectl.names).to(be_empty)

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
        kubectl = FakeKubectl(*objects().in_order, made_by_kubeless)
        function = kubectl.the("Function", "falco-delete")
        function["metadata"]["finalizers"] = ["kubeless.io/function"]
        removed(kubectl)

        expect(kubectl.names).to(equal(["ConfigMap falco-delete"]))

    with it("removes the ledger for who may not list anything, too"):
        kubectl = FakeKubectl(*objects().in_order)
        kubectl.failures["deployments.apps"] = Forbidden("you may not")
        removed(kubectl)

        expect(kubectl.names).to(be_empty)

    with it("says what it removed"):
        expect(removed(self.kubectl)).to(
            contain("Function default/falco-delete", "Role shop/falco-delete.default")
        )

    with it("removes what is left where some is gone"):
        del self.kubectl.objects["Function", "default", "falco-delete"]
        removed(self.kubectl)

        expect(self.kubectl.names).to(be_empty)

    with it("finds nothing where nothing is"):
        expect(removed(FakeKubectl())).to(be_empty)

    with it("leaves another deployment of the same playbook alone"):
        deploy(self.kubectl, objects(a_request("delete", "-N", "delete-two")))
        removed(self.kubectl)

        expect([name for name in self.kubectl.names if "delete-two" in name]).to(
            equal(self.kubectl.names)
        )

    with it("leaves an object of that name alone that is not ours"):
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "falco-delete", "namespace": "default"},
        }
        self.kubectl._store(secret, uid="x")
        removed(self.kubectl)

        expect(self.kubectl.names).to(equal(["Secret falco-delete"]))

    with it("does not wait for ever for what nobody finalizes, and says so"):
        self.kubectl.finalizer = True
        try:
            removed(self.kubectl)
            said = "no error"
        except PlaybookError as error:
            said = str(error)

        expect(said).to(
            contain(
                "Function default/falco-delete is marked for deletion", "kubectl patch function"
            )
        )

    with it("goes on where it may not remove one, and says so"):
        self.kubectl.failures["delete", "Role"] = Forbidden("you may not")
        try:
            removed(self.kubectl)
            said = "no error"
        except PlaybookError as error:
            said = str(error)

        expect(said).to(contain("Role shop/falco-delete.default: you may not"))
        expect(self.kubectl.names).to(equal(["Role falco-delete.default"]))


with description("Removing orphans") as self:
    with before.each:
        self.kubectl = FakeKubectl()
        deploy(self.kubectl, objects(a_request("delete", "-e", "NAMESPACES=shop")))

    with it("removes roles and bindings whose function is gone"):
        deploy(self.kubectl, objects(a_request("taint")))
        self.kubectl.delete(self.kubectl.the("Function", "falco-delete"))
        orphans = remove_orphans(self.kubectl)[0]

        expect(orphans).to(
            equal(["Role shop/falco-delete.default", "RoleBinding shop/falco-delete.default"])
        )
        expect(self.kubectl.names).to(contain("ClusterRole falco-taint.default"))

    with it("keeps those of functions that are there"):
        expect(remove_orphans(self.kubectl)).to(equal(([], [])))

    with it("keeps those of a function in another namespace, with the same name"):
        deploy(self.kubectl, objects(a_request("delete"), namespace="ops"))
        removed(self.kubectl)

        expect(remove_orphans(self.kubectl)).to(equal(([], [])))
        expect(self.kubectl.names).to(contain("ClusterRole falco-delete.ops"))

    with it("removes nothing where functions cannot be listed, and says so"):
        self.kubectl.failures["functions.kubeless.io"] = Forbidden("you may not")
        removed_roles, warnings = remove_orphans(self.kubectl)

        expect(removed_roles).to(be_empty)
        expect(warnings).to(equal(["could not look for roles that were left behind: you may not"]))
