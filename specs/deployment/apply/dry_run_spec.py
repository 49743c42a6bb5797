from expects import be_empty, contain, equal, expect, have_key
from mamba import before, description, it

from playbooks.core.errors import NotPermitted
from playbooks.deployment.apply.dry_run import each_cause_once
from playbooks.deployment.manifests.rbac import deployer_role
from specs.deployment.fake_objects import FakeObjects
from specs.deployment.mothers import documents_of, run

DELETE = ("-E", "kubernetes", "-p", "delete", "-t", "falco.>", "-n", "team", "-i", "image:1")
TAINT = ("-E", "kubernetes", "-p", "taint", "-t", "falco.>", "-n", "team", "-i", "image:1")


class Namespaced(FakeObjects):
    """A cluster of which the caller reads and writes one namespace. ``forbidden``: kinds there
    that it may not write."""

    def __init__(self, *objects, namespace="team", forbidden=()):
        super().__init__(*objects, namespace=namespace)
        self.forbidden = forbidden
        self.failures["clusterrolebindings.rbac.authorization.k8s.io"] = self._no("list roles")

    def get(self, manifests):
        for each in manifests:
            if not self._mine(each):
                raise self._no(f"get {each['kind']}")
        return super().get(manifests)

    def create(self, manifests, *, dry_run=False):
        for each in manifests:
            if not self._mine(each) or each["kind"] in self.forbidden:
                raise self._no(f"create {each['kind']}")
        return super().create(manifests, dry_run=dry_run)

    def _mine(self, manifest):
        return manifest["metadata"].get("namespace") == self.namespace

    def _no(self, what):
        return NotPermitted(f"you may not {what}")


def manifest_of(done):
    """What the administrator is to apply."""
    lead = "kubectl apply -f - <<'EOF'\n"
    return list(documents_of(done.err.partition(lead)[2].partition("EOF\n")[0]))


def shown(manifests):
    return [(m["kind"], m["metadata"].get("namespace"), m["metadata"]["name"]) for m in manifests]


with description("The admin of a namespace") as self:
    with before.each:
        self.cluster = Namespaced()

    with it("deploys into it what acts there alone"):
        done = run(*DELETE, "-e", "NAMESPACES=team", cluster=self.cluster)

        expect(done.code).to(equal(0))
        expect(self.cluster.names).to(contain("Deployment falco-delete", "Role falco-delete.team"))

    with it("is told what needs more before anything is touched, as a manifest to apply"):
        done = run(*TAINT, cluster=self.cluster)
        made = shown(manifest_of(done))

        expect(done.code).to(equal(1))
        expect(self.cluster.changes).to(be_empty)
        expect(done.err).to(contain("ClusterRole falco-taint.team", "deploy again with --granted"))
        expect(made).to(
            equal(
                [
                    ("ClusterRole", None, "falco-taint.team"),
                    ("ClusterRoleBinding", None, "falco-taint.team"),
                    ("Role", "default", "falco-taint.team"),
                    ("RoleBinding", "default", "falco-taint.team"),
                ]
            )
        )

    with it("deploys it once that is granted"):
        done = run(*TAINT, "--granted", cluster=self.cluster)

        expect(done.code).to(equal(0))
        expect(self.cluster.names).to(contain("Function falco-taint", "Deployment falco-taint"))
        expect(self.cluster.names).not_to(contain("ClusterRole falco-taint.team"))
        expect(run("diff", *TAINT, "--granted", cluster=self.cluster).code).to(equal(0))

    with it("is told of rights that cannot be passed on in the own namespace, too"):
        self.cluster.forbidden = ("Role",)
        done = run(*DELETE, "-e", "NAMESPACES=team", cluster=self.cluster)

        expect(done.code).to(equal(1))
        expect([kind for kind, _, _ in shown(manifest_of(done))]).to(
            equal(["Role", "RoleBinding", "Role", "RoleBinding"])
        )
        expect(done.err).not_to(contain("--granted"))

    with it("is told that the cluster has to be set up where Functions may not be made"):
        self.cluster.forbidden = ("Function",)
        done = run(*DELETE, "-e", "NAMESPACES=team", cluster=self.cluster)

        expect(done.code).to(equal(1))
        expect(done.err).to(contain("deploy_playbook -S", deployer_role()["metadata"]["name"]))

    with it("has to be one, and is told so"):
        cluster = Namespaced(namespace="other")
        done = run(*DELETE, cluster=cluster)

        expect(done.code).to(equal(1))
        expect(done.err).to(contain("--clusterrole=admin", "-n team", "nothing was deployed"))

    with it("hears of an error that is repeated for each object once"):
        error = NotPermitted('namespaces "team" not found')
        for kind in ("ServiceAccount", "Secret", "Function"):
            self.cluster.failures["dry-run create", kind] = error
        done = run(*DELETE, "-e", "NAMESPACES=team", cluster=self.cluster)

        expect(done.err.count("not found")).to(equal(1))


with description("The role of who deploys into a namespace") as self:
    with it("is part of the role admin"):
        expect(deployer_role()["metadata"]["labels"]).to(
            have_key("rbac.authorization.k8s.io/aggregate-to-admin", "true")
        )

    with it("has nothing that belongs to no namespace"):
        resources = {r for rule in deployer_role()["rules"] for r in rule["resources"]}

        expect(resources).to(contain("functions", "natstriggers", "events", "pods"))
        expect(resources & {"nodes", "apiservices", "validatingwebhookconfigurations"}).to(be_empty)


def missing(resource):
    return f'POST api/v1/namespaces/x/{resource}: namespaces "x" not found (404)'


def forbidden(resource, group="", where='in the namespace "x"', verb="create"):
    return (
        f'POST apis/x/namespaces/x/{resource}: {resource} is forbidden: User "joe" cannot {verb}'
        f' resource "{resource}" in API group "{group}" {where} (403)'
    )


with description("What the API server refuses") as self:
    with it("is said once where the cause is the same"):
        expect(each_cause_once([missing("secrets"), missing("services"), missing("pods")])).to(
            equal(['namespaces "x" not found (3 objects)'])
        )

    with it("names all resources that somebody may not write"):
        expect(
            each_cause_once([forbidden("secrets"), forbidden("roles", "rbac"), missing("pods")])
        ).to(
            equal(['User "joe" cannot create secrets, roles in the namespace "x"', missing("pods")])
        )

    with it("is told apart by verb and place"):
        lines = [
            forbidden("secrets"),
            forbidden("secrets", verb="update"),
            forbidden("nodes", where="at the cluster scope"),
        ]

        expect(each_cause_once(lines)).to(equal(lines))

    with it("is said as it is where there is one"):
        expect(each_cause_once([missing("secrets"), missing("secrets")])).to(
            equal([missing("secrets")])
        )
