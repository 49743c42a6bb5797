from expects import be_empty, contain, equal, expect, have_key
from mamba import before, description, it

from playbooks.deployment.apply.deploy import deploy
from playbooks.deployment.manifests.ledger import ledger
from specs.deployment.fake_objects import FakeObjects
from specs.deployment.mothers import a_request, a_slack_request, objects


def kinds(made):
    return [manifest["kind"] for manifest in made]


def deployed(cluster, *arguments):
    deploy(cluster, objects(a_request("delete", *arguments)), sleep=lambda seconds: None)


with description("The ledger of a function") as self:
    with it("is a ConfigMap without data, beside the function"):
        (made, _, _) = ledger(a_request("delete", "-N", "quick"), "ops")

        expect(made).not_to(have_key("data"))
        expect(made["metadata"]).to(
            equal(
                {
                    "name": "falco-quick-ledger",
                    "namespace": "ops",
                    "labels": {
                        "created-by": "kubeless",
                        "function": "falco-quick",
                        "falco/ledger": "true",
                    },
                }
            )
        )

    with it("may be read and patched by the function, and nothing else of its kind may"):
        (_, role, _) = ledger(a_request(), "ops")

        expect(role["metadata"]["namespace"]).to(equal("ops"))
        expect(role["rules"]).to(
            equal(
                [
                    {
                        "apiGroups": [""],
                        "resources": ["configmaps"],
                        "resourceNames": ["falco-delete-ledger"],
                        "verbs": ["get", "patch"],
                    }
                ]
            )
        )

    with it("may be so by the function's own account"):
        (_, role, binding) = ledger(a_request(), "ops")

        expect(binding["roleRef"]["name"]).to(equal(role["metadata"]["name"]))
        expect(binding["subjects"]).to(
            equal([{"kind": "ServiceAccount", "name": "falco-delete", "namespace": "ops"}])
        )

    with it("is there for every playbook that acts on the cluster"):
        for playbook in ("delete", "isolate", "taint"):
            expect(kinds(ledger(a_request(playbook), "ops"))).to(
                equal(["ConfigMap", "Role", "RoleBinding"])
            )

    with it("is not there for one that acts on nothing"):
        expect(ledger(a_slack_request(), "ops")).to(be_empty)

    with it("is not there where another one is given"):
        expect(ledger(a_request("delete", "-e", "LEDGER=ops/ours"), "ops")).to(be_empty)
        expect(ledger(a_request("delete", "-s", "LEDGER=places/ledger"), "ops")).to(be_empty)

    with description("that has been written"):
        with before.each:
            self.cluster = FakeObjects()
            deployed(self.cluster)
            self.stored = self.cluster.the("ConfigMap", "falco-delete-ledger")
            self.stored["data"] = {"ledger.json": "{}"}

        with it("stays as it is when the function is deployed again"):
            deployed(self.cluster, "-e", "V=1")

            expect(self.cluster.changes[-1:]).to(equal([("replace", "Function falco-delete")]))
            expect(self.cluster.the("ConfigMap", "falco-delete-ledger")).to(equal(self.stored))

        with it("keeps what is written where its labels are put right"):
            del self.stored["metadata"]["labels"]["created-by"]
            deployed(self.cluster)

            found = self.cluster.the("ConfigMap", "falco-delete-ledger")
            expect(found["data"]).to(equal({"ledger.json": "{}"}))
            expect(found["metadata"]["labels"]).to(have_key("created-by"))

        with it("goes, and the right to it, when another one is given"):
            deployed(self.cluster, "-e", "LEDGER=ours")

            expect([name for name in self.cluster.names if "ledger" in name]).to(be_empty)
            expect(self.cluster.names).to(contain("Function falco-delete"))
