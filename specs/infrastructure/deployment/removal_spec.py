"""Removing what is deployed on a real cluster, or is not."""

from expects import be_empty, contain, equal, expect
from mamba import after, before, description, it

from specs.support.cluster.real_cluster import a_namespace, delete_namespace, kubectl_json
from specs.support.conditions import CLUSTER, not_run_unless
from specs.support.programs import deploy_playbook, succeeded

SELECTED = ("-l", "function=falco-taint")


with description("deploy_playbook -x, on a real cluster,") as self:
    with before.all:
        self.namespace = a_namespace()
        succeeded(deploy_playbook("-S"))

    with after.all:
        delete_namespace(self.namespace)

    def remove(self, *typed):
        return deploy_playbook("-x", *typed, "-n", self.namespace)

    with it("removes what is there, and says that it is gone when it is asked again"):
        deploying = ("-p", "taint", "-t", "falco.>", "-E", "kubernetes", "-i", "none:1")
        succeeded(deploy_playbook(*deploying, "--no-wait", "-n", self.namespace))
        code, said = self.remove("-p", "taint")
        expect((code, f"Function {self.namespace}/falco-taint" in said)).to(equal((0, True)))
        left = kubectl_json("get", "all,secrets,configmaps", *SELECTED, "-n", self.namespace)
        expect(left["items"]).to(be_empty)

        code, said = self.remove("-p", "taint")
        expect((code, said)).to(
            equal((0, f"nothing of falco-taint was in namespace {self.namespace}\n"))
        )

    with it("fails where nothing knows the name, and says which one is alike"):
        code, said = self.remove("-p", "tiant")

        expect(code).to(equal(1))
        expect(said).to(contain(f"{self.namespace}/falco-tiant", "did you mean taint?"))


not_run_unless(CLUSTER, globals())
