from expects import be_empty, contain, equal, expect, start_with
from mamba import before, description, it

from playbooks.core.errors import PlaybookError
from specs.deployment.fake_objects import FakeObjects
from specs.deployment.mothers import WEBHOOK, deployed, run

DELETE = ("-E", "kubernetes", "-p", "delete", "-t", "falco.error.*")
SLACK = ("-E", "kubeless", "-p", "slack", "-t", "falco.error.*")


with description("deploy_playbook diff") as self:
    with before.each:
        self.cluster = FakeObjects()

    def deployed(self, *words):
        deployed(*words, cluster=self.cluster)

    def diff(self, *words):
        return run("diff", *words, cluster=self.cluster)

    with it("prints nothing with code 0 where nothing would change"):
        self.deployed(*DELETE, "-R", "2", "-e", "NAMESPACES=shop")
        answer = self.diff(*DELETE, "-R", "2", "-e", "NAMESPACES=shop")

        expect((answer.out, answer.err, answer.code)).to(equal(("", "", 0)))

    with it("prints what would change as a unified diff of YAML, with code 1"):
        self.deployed(*DELETE, "-R", "2")
        answer = self.diff(*DELETE, "-R", "3")

        expect(answer.code).to(equal(1))
        expect(answer.out).to(
            start_with(
                "--- live/apps.v1.Deployment.default.falco-delete\n"
                "+++ merged/apps.v1.Deployment.default.falco-delete\n@@ "
            )
        )
        expect(answer.out).to(contain("\n-  replicas: 2\n+  replicas: 3\n"))

    with it("says beside it what is lost or gives more rights, and which engine it is for"):
        self.deployed(*DELETE, "-e", "NAMESPACES=shop")
        answer = self.diff(*DELETE[2:])

        expect(answer.out).to(start_with("--- live/"))
        expect(answer.err).to(
            contain(
                "deploy_playbook: engine: kubernetes: ",
                "deploy_playbook: change: NAMESPACES: was shop, now not set\n",
                "was shop, now the whole cluster\n",
            )
        )

    with it("changes nothing"):
        self.deployed(*DELETE)
        self.diff(*DELETE, "-e", "NAMESPACES=shop")

        expect(self.cluster.changes).to(be_empty)

    with it("prints objects that would be made and that would go as a whole"):
        self.deployed(*DELETE)
        out = self.diff(*DELETE, "-e", "NAMESPACES=shop").out

        expect(out).to(
            contain(
                "+++ merged/rbac.authorization.k8s.io.v1.Role.shop.falco-delete.default\n",
                "\n+kind: Role\n",
                "--- live/rbac.authorization.k8s.io.v1.ClusterRole.falco-delete.default\n",
                "\n-kind: ClusterRole\n",
                "- name: NAMESPACES\n",
                " value: shop\n",
            )
        )

    with it("prints all objects for the first time, on a cluster without anything"):
        answer = self.diff(*DELETE)

        expect(answer.code).to(equal(1))
        expect(answer.out.count("+++ merged/")).to(equal(len(self.first())))

    def first(self):
        run(*DELETE, cluster=self.cluster)
        shared = ("ClusterRole falco-playbook-worker", "CustomResourceDefinition")
        return [name for name in self.cluster.names if not name.startswith(shared)]

    with it("hides values of Secrets, passwords in URLs, and archives"):
        self.deployed(*SLACK, "-e", f"SLACK_WEBHOOK_URL={WEBHOOK}")
        proxy = ("-e", "HTTPS_PROXY=http://me:hunter2@proxy:3128")
        out = self.diff(*SLACK, "-e", f"SLACK_WEBHOOK_URL={WEBHOOK}x", *proxy).out

        expect(out).to(
            contain(
                '-  SLACK_WEBHOOK_URL: "*** (before)"\n',
                '+  SLACK_WEBHOOK_URL: "*** (after)"\n',
                "http://***@proxy:3128",
            )
        )
        expect(out).not_to(contain("hunter2"))
        expect(max(map(len, self.diff(*DELETE).out.splitlines())) < 400).to(equal(True))

    with it("compares with the deployed settings with --reuse-settings"):
        self.deployed(*DELETE, "-R", "2", "-e", "NAMESPACES=shop")
        words = ("-E", "kubernetes", "-p", "delete", "--reuse-settings")

        expect(self.diff(*words).code).to(equal(0))
        expect(self.diff(*words, "-R", "3").code).to(equal(1))

    with it("ends with code 2 for an error, since 1 says that something differs"):
        self.cluster.failures["/version"] = PlaybookError("connection refused")
        answer = self.diff(*DELETE)

        expect(answer.code).to(equal(2))
        expect(answer.err).to(contain("deploy_playbook: error:", "connection refused"))

    with it("is refused for what has no objects"):
        answer = self.diff("-E", "local", *DELETE[2:])

        expect(answer.code).to(equal(2))
        expect(answer.err).to(contain("-E local has no objects that diff could compare"))

    with it("has help, with its exit codes"):
        out = run("diff", "-h").out

        expect(out).to(start_with("Usage: deploy_playbook diff [OPTIONS] [FILE]...\n"))
        expect(out).to(contain("--reuse-settings", "1 where something would"))
        expect(out).not_to(contain("--remove"))
