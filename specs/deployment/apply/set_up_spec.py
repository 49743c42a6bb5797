import re

from expects import be_empty, contain, equal, expect, have_keys
from mamba import before, description, it

from playbooks.core import catalogue
from playbooks.core.errors import Conflict, NotPermitted
from playbooks.deployment.manifests import admission_policies
from playbooks.deployment.manifests.admission_policies import of
from playbooks.deployment.manifests.crds import definitions
from specs.deployment.fake_objects import FakeObjects
from specs.deployment.mothers import documents_of, run

DELETE = ("-E", "kubernetes", "-p", "delete", "-t", "falco.error.*")
NEEDED = [
    "ClusterRole falco-playbook-deployer",
    "ClusterRole falco-playbook-worker",
    "CustomResourceDefinition functions.kubeless.io",
    "CustomResourceDefinition natstriggers.kubeless.io",
]
POLICY, BINDING = "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"
MADE = sorted(
    [*NEEDED, *(f"{m['kind']} {m['metadata']['name']}" for m in admission_policies.policies())]
)
HELD = [each.name for name in catalogue.names() for each in of(catalogue.load(name))]


class NewCluster(FakeObjects):
    """Serves Functions and triggers once they are defined."""

    def __init__(self):
        super().__init__(served=())

    def create(self, manifests, *, dry_run=False):
        for manifest in manifests:
            if manifest["kind"] == "CustomResourceDefinition" and not dry_run:
                self.served = (*self.served, manifest["metadata"]["name"].partition(".")[0])
        return super().create(manifests, dry_run=dry_run)


def schema(kind):
    (found,) = [d for d in definitions() if d["spec"]["names"]["kind"] == kind]
    (version,) = found["spec"]["versions"]
    return version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]


def takes(kind, key, text):
    return re.search(schema(kind)[key]["pattern"], text) is not None


with description("Setting a cluster up") as self:
    with before.each:
        self.cluster = NewCluster()

    with it("makes two definitions, the shared role, and policies with their bindings"):
        answer = run("-S", cluster=self.cluster)

        expect(answer.code).to(equal(0))
        expect(self.cluster.names).to(equal(MADE))
        expect(answer.out).to(contain("created   CustomResourceDefinition functions.kubeless.io\n"))

    with it("changes nothing when it is done again"):
        run("-S", cluster=self.cluster)
        self.cluster.calls.clear()
        answer = run("-S", cluster=self.cluster)

        expect(self.cluster.changes).to(be_empty)
        expect(answer.out).to(contain("unchanged ClusterRole falco-playbook-worker\n"))

    with it("brings what it made up to date"):
        run("-S", cluster=self.cluster)
        role = self.cluster.the("ClusterRole", "falco-playbook-worker")
        rules, role["rules"] = role["rules"], []
        run("-S", cluster=self.cluster)

        expect(self.cluster.the("ClusterRole", "falco-playbook-worker")["rules"]).to(equal(rules))

    with it("keeps what others noted on it, and tries again where somebody wrote it meanwhile"):
        run("-S", cluster=self.cluster)
        role = self.cluster.the("ClusterRole", "falco-playbook-worker")
        rules, role["rules"] = role["rules"], []
        role["metadata"]["labels"]["team"] = "security"
        conflicts = [Conflict("written since")]

        def conflict(verb, manifest):
            if verb == "replace" and conflicts:
                raise conflicts.pop()

        self.cluster.before_call = conflict
        answer = run("-S", cluster=self.cluster)

        role = self.cluster.the("ClusterRole", "falco-playbook-worker")
        expect((answer.code, role["rules"], conflicts)).to(equal((0, rules, [])))
        expect(role["metadata"]["labels"]["team"]).to(equal("security"))

    with it("leaves policies out where the API server knows none, and says why"):
        self.cluster.version = "v1.29.3"
        answer = run("-S", cluster=self.cluster)

        expect((answer.code, answer.err)).to(equal((0, "")))
        expect(self.cluster.names).to(equal(NEEDED))
        expect(answer.out).to(
            contain(
                "left out  ValidatingAdmissionPolicy: Kubernetes serves it from 1.30 on", "v1.29.3"
            )
        )

    with it("leaves a policy alone that others made under its name"):
        theirs = {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": POLICY,
            "metadata": {"name": HELD[0]},
            "spec": {"theirs": True},
        }
        cluster = FakeObjects(theirs)
        answer = run("-S", cluster=cluster)

        expect(answer.out).to(contain(f"unchanged {POLICY} {HELD[0]}, which others made\n"))
        expect(answer.out).to(contain(f"created   {BINDING} {HELD[0]}\n"))
        expect(cluster.the(POLICY, HELD[0])["spec"]).to(equal({"theirs": True}))

    with it("makes no policies on deploying, and binds their settings where one may"):
        run(*DELETE, cluster=self.cluster)
        made = [n for n in self.cluster.names if n.startswith(POLICY)]

        expect(made).to(
            equal(
                [
                    f"{BINDING} falco-playbook-delete-{of}.falco-delete.default"
                    for of in ("events", "pods-delete")
                ]
            )
        )

    with it("binds the settings of what somebody deployed who may not, and says so to him"):
        self.cluster.failures["dry-run create", BINDING] = NotPermitted("bindings is forbidden")
        answer = run(*DELETE, cluster=self.cluster)
        expect(answer.code).to(equal(0))
        expect(answer.err).to(
            contain("bindings is forbidden", "deployed it, or run deploy_playbook -S")
        )
        expect([n for n in self.cluster.names if n.startswith(BINDING)]).to(be_empty)
        self.cluster.failures.clear()
        run("-S", cluster=self.cluster)

        expect(self.cluster.names).to(
            contain(f"{BINDING} falco-playbook-delete-pods-delete.falco-delete.default")
        )

    with it("binds the settings of a function to which alerts are pushed, until it is removed"):
        words = ("-E", "knative", "-p", "taint", "-n", "responders", "-t", "falco.>", "-d")
        made = [*documents_of(run(*words, cluster=self.cluster).out)]
        settings = next(m for m in made if m["metadata"]["name"] == "falco-taint-admission")
        self.cluster.create([settings])
        binding = f"{BINDING} falco-playbook-taint-nodes.falco-taint.responders"
        run("-S", cluster=self.cluster)
        bound = self.cluster.names
        self.cluster.delete(settings)
        done = run("-S", cluster=self.cluster)

        expect(bound).to(contain(binding))
        expect(done.out).to(contain(f"removed   {binding}, whose function is gone"))
        expect(self.cluster.names).to(equal(MADE))

    with it("leaves alone what others made, such as Kubeless' own definitions"):
        theirs = {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": "functions.kubeless.io"},
            "spec": {"theirs": True},
        }
        cluster = FakeObjects(theirs)
        answer = run("-S", cluster=cluster)

        expect(answer.out).to(
            contain("unchanged CustomResourceDefinition functions.kubeless.io, which others made")
        )
        expect(cluster.the("CustomResourceDefinition", "functions.kubeless.io")["spec"]).to(
            equal({"theirs": True})
        )

    with it("sweeps what functions left that are gone"):
        run("-S", cluster=self.cluster)
        run(*DELETE, cluster=self.cluster)
        self.cluster.delete(self.cluster.the("Function", "falco-delete"))
        answer = run("-S", cluster=self.cluster)

        expect(answer.out).to(contain("removed   ClusterRole falco-delete.default"))
        expect(answer.out).to(
            contain(f"removed   {BINDING} falco-playbook-delete-events.falco-delete.default")
        )
        expect(self.cluster.names).to(equal(MADE))

    with it("prints what it would make"):
        documents = list(documents_of(run("-S", "-d").out))

        expect(sorted(f"{d['kind']} {d['metadata']['name']}" for d in documents)).to(equal(MADE))

    with it("is done by deploying, where anything is missing"):
        answer = run(*DELETE, cluster=self.cluster)

        expect(answer.code).to(equal(0))
        expect(self.cluster.names).to(contain(*NEEDED[1:], "Deployment falco-delete"))

    with it("is asked of an administrator by who may not, in their words"):
        refused = NotPermitted("customresourcedefinitions is forbidden")
        self.cluster.failures["create", "CustomResourceDefinition"] = refused
        answer = run(*DELETE, cluster=self.cluster)

        expect(answer.code).to(equal(1))
        expect(answer.err).to(
            contain(
                "this cluster lacks CustomResourceDefinition functions.kubeless.io",
                "customresourcedefinitions is forbidden",
                "An administrator has to set the cluster up once",
                "deploy_playbook -S -d > set-up.yaml; kubectl apply -f set-up.yaml",
            )
        )
        expect(self.cluster.names).to(be_empty)


with description("The definitions") as self:
    with it("are of apiextensions v1, with columns to look at"):
        for definition in definitions():
            (version,) = definition["spec"]["versions"]

            expect(definition["apiVersion"]).to(equal("apiextensions.k8s.io/v1"))
            expect([c["name"] for c in version["additionalPrinterColumns"]]).to(contain("Age"))

    with it("take the topics that NATS takes, and no others"):
        good = ("falco.>", ">", "*", "falco.*.shell", "falco.error.a_b-c")
        bad = ("", "falco..x", "falco.>.x", "falco.e*", ".x", "x.", "a b", "a\n")

        expect([t for t in good if not takes("NATSTrigger", "topic", t)]).to(be_empty)
        expect([t for t in bad if takes("NATSTrigger", "topic", t)]).to(equal(["a\n"]))

    with it("take what the kubeless CLI says of content, and no others"):
        good = ("", "text", "base64+zip", "url+zip", "base64+compressedtar", "base64+zip+deps")

        expect([t for t in good if not takes("Function", "function-content-type", t)]).to(be_empty)
        expect(takes("Function", "function-content-type", "zip")).to(equal(False))

    with it("want a trigger's topic and selector"):
        (trigger,) = [d for d in definitions() if d["spec"]["names"]["kind"] == "NATSTrigger"]
        spec = trigger["spec"]["versions"][0]["schema"]["openAPIV3Schema"]

        expect(spec["properties"]["spec"]).to(have_keys(required=["functionSelector", "topic"]))
