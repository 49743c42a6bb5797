import io
import sys
from unittest.mock import patch

from expects import be_empty, contain, equal, expect, start_with
from mamba import before, description, it

from playbooks.core.errors import NotFound, NotPermitted
from specs.deployment.fake_objects import FakeObjects
from specs.deployment.mothers import WEBHOOK, run

DELETE = ("-E", "kubernetes", "-p", "delete", "-t", "falco.error.*")
KUBELESS = ("-E", "kubeless", "-p", "delete", "-t", "falco.error.*")
SLACK = ("-E", "kubernetes", "-p", "slack", "-t", "falco.error.*")
SHOP = ("-e", "NAMESPACES=shop")
WIDER = ": was shop, now the whole cluster"


class Terminal(io.StringIO):
    """Standard input at which somebody types."""

    def isatty(self):
        return True


def typing(text):
    return patch.object(sys, "stdin", Terminal(text))


def said(answer):
    """What would change, without the program's name."""
    lines = [line.rpartition("deploy_playbook: ")[2] for line in answer.err.splitlines()]
    return [line.partition(": ")[2] for line in lines if ": was " in line]


with description("Deploying again") as self:
    with before.each:
        self.cluster = FakeObjects()
        self.no_terminal = patch.object(sys, "stdin", io.StringIO(""))

    def deploy(self, *words):
        with self.no_terminal:
            return run(*words, cluster=self.cluster)

    def deployed(self, *words):
        answer = self.deploy(*words)
        assert answer.code == 0, answer.err
        self.cluster.calls.clear()

    with description("without the settings of before"):
        with before.each:
            self.deployed(*DELETE, *SHOP, "-R", "2")

        with it("is refused where nobody can be asked, with everything that would be lost"):
            answer = self.deploy(*DELETE)

            expect(answer.code).to(equal(1))
            expect(said(answer)).to(
                contain("NAMESPACES: was shop, now not set", "replicas: was 2, now 1")
            )
            expect(answer.err).to(contain(WIDER, "nothing was changed"))
            expect(answer.err).to(contain("--yes", "--reuse-settings"))

        with it("changes nothing then"):
            self.deploy(*DELETE)

            expect(self.cluster.changes).to(be_empty)

        with it("goes on with --yes or -y, and says what changes"):
            for word in ("--yes", "-y"):
                self.deployed(*DELETE, *SHOP, "-R", "2", "-y")
                answer = self.deploy(*DELETE, word)

                expect(answer.code).to(equal(0))
                expect(answer.err).to(contain("warning: NAMESPACES: was shop", WIDER))
                expect(self.cluster.names).to(contain("ClusterRole falco-delete.default"))

        with it("asks at a terminal, and goes on for a yes"):
            with typing("y\n"):
                answer = run(*DELETE, cluster=self.cluster)

            expect(answer.code).to(equal(0))
            expect(answer.err).to(
                contain(
                    "change: rights to ",
                    "delete, get, list, watch pods;",
                    f"{WIDER}\n",
                    "Continue? [y/N]: ",
                )
            )
            expect(self.cluster.names).to(contain("ClusterRole falco-delete.default"))

        with it("changes nothing for a no, for Enter, and at the end of input"):
            for text, code in (("n\n", 1), ("\n", 1), ("", 130)):
                with typing(text):
                    answer = run(*DELETE, cluster=self.cluster)

                expect(answer.code).to(equal(code))
                expect(self.cluster.changes).to(be_empty)

    with description("as before"):
        with it("asks nothing"):
            for words in (
                (*DELETE, *SHOP, "-R", "2", "-i", "x:1", "-e", "HTTPS_PROXY=http://p:1"),
                (*SLACK, "-e", f"SLACK_WEBHOOK_URL={WEBHOOK}", "-e", "NATS_CREDS=/in/the/pod"),
                (*DELETE, "-N", "quick", "-e", "V=$(X) $$ é"),
                (*KUBELESS, "-N", "kubeless", *SHOP, "-r", "python3.9"),
            ):
                self.deployed(*words)

                expect(said(self.deploy(*words))).to(be_empty)

        with it("asks nothing for what is given anew"):
            self.deployed(*DELETE, "-R", "2", "-e", "DRY_RUN=true", "-i", "x:1")
            answer = self.deploy(*DELETE, "-R", "1", "-e", "DRY_RUN=false", "-i", "x:2", *SHOP)

            expect((answer.code, said(answer))).to(equal((0, [])))

        with it("asks nothing for a setting that had its default"):
            self.deployed(*DELETE, "-e", "DRY_RUN=false", "-e", "RULES=")

            expect(said(self.deploy(*DELETE))).to(be_empty)

        with it("asks nothing where roles may not be listed"):
            self.deployed(*DELETE, *SHOP)
            for kind in ("clusterrolebindings", "rolebindings", "clusterroles", "roles"):
                self.cluster.failures[f"{kind}.rbac.authorization.k8s.io"] = NotPermitted("no")

            expect(said(self.deploy(*DELETE, *SHOP))).to(be_empty)

    with description("for the first time"):
        with it("asks nothing"):
            expect(said(self.deploy(*DELETE))).to(be_empty)

        with it("asks nothing of a cluster that does not know Functions yet"):
            listed = self.cluster.list
            asked = []

            def not_served(resources, **options):
                if "natstriggers.kubeless.io" in resources and not asked:
                    asked.append(resources)
                    raise NotFound("the server could not find the requested resource")
                return listed(resources, **options)

            self.cluster.list = not_served
            answer = self.deploy(*DELETE)

            expect((answer.code, len(asked))).to(equal((0, 1)))

        with it("asks nothing when another playbook is deployed beside it"):
            self.deployed(*DELETE, *SHOP, "-R", "2")

            expect(said(self.deploy(*DELETE, "-N", "quick"))).to(be_empty)

    with description("with other rights"):
        with it("asks for a namespace more"):
            self.deployed(*DELETE, *SHOP)
            changes = said(self.deploy(*DELETE, "-e", "NAMESPACES=shop,web"))

            expect(changes[0]).to(start_with("rights to "))
            expect(changes[0]).to(
                contain("delete, get, list, watch pods", ": was shop, now shop, web")
            )
            expect(str(changes)).not_to(contain("functions.kubeless.io"))

        with it("asks for a verb more, and for a resource more"):
            self.deployed(*DELETE, *SHOP)
            role = self.cluster.the("Role", "falco-delete.default")
            for rule in role["rules"]:
                if rule["resources"] == ["pods"]:
                    rule["verbs"] = ["get"]
            role["rules"] = [r for r in role["rules"] if r["resources"] != ["daemonsets"]]

            expect(said(self.deploy(*DELETE, *SHOP))).to(
                equal(
                    [
                        "rights to get, list, watch daemonsets.apps; delete, list, watch pods: was"
                        " not granted, now shop"
                    ]
                )
            )

        with it("tells objects with a name from every object"):
            self.deployed(*DELETE)
            role = self.cluster.the("Role", "falco-delete-ledger")
            name = role["rules"][0].pop("resourceNames")
            expect(said(self.deploy(*DELETE))).to(be_empty)

            role = self.cluster.the("Role", "falco-delete-ledger")
            role["rules"][0]["resourceNames"] = ["another"]
            expect(said(self.deploy(*DELETE))).to(
                equal([f"rights to get, patch configmaps/{name[0]}: was not granted, now default"])
            )

        with it("asks nothing for a namespace less"):
            self.deployed(*DELETE)

            expect(said(self.deploy(*DELETE, *SHOP))).to(be_empty)

    with it("asks for a topic that is no longer answered"):
        self.deployed(*DELETE, "-t", "falco.critical.*")

        expect(said(self.deploy(*DELETE))).to(
            equal(["topics: was falco.critical.*, falco.error.*, now falco.error.*"])
        )

    with it("asks nothing for a topic that a new one covers, and asks for one that it does not"):
        self.deployed(*DELETE, "-t", "falco.error.terminal_shell_in_container")
        wider = said(self.deploy(*DELETE))
        self.deployed(*DELETE, "-t", "falco.>")

        expect(wider).to(be_empty)
        expect(said(self.deploy(*DELETE))).to(
            equal(["topics: was falco.>, falco.error.*, now falco.error.*"])
        )

    with it("asks for an image and a replica count that somebody else set"):
        self.deployed(*DELETE, "-i", "registry.example/x:1")
        self.cluster.the("Deployment", "falco-delete")["spec"]["replicas"] = 5

        expect(said(self.deploy(*DELETE))).to(
            equal(
                [
                    "image: was registry.example/x:1, now none",
                    "replicas: was 5, now 1",
                ]
            )
        )

    with it("asks for a runtime of Kubeless"):
        self.deployed(*KUBELESS, "-r", "python3.9")

        expect(said(self.deploy(*KUBELESS))).to(equal(["runtime: was python3.9, now python3.8"]))

    with it("names the default that a setting falls back to"):
        self.deployed(*DELETE, "-e", "GRACE_PERIOD_SECONDS=7")

        expect(said(self.deploy(*DELETE))[0]).to(
            equal("GRACE_PERIOD_SECONDS: was 7, now 1 (default)")
        )

    with it("shows of secrets the names alone"):
        words = ("-e", "NATS_USER=me", "-e", "NATS_PASSWORD=hunter2")
        proxy = ("-e", "HTTPS_PROXY=http://me:hunter2@proxy:3128")
        self.deployed(*DELETE, *words, *proxy)
        answer = self.deploy(*DELETE)

        expect(said(answer)).to(
            contain(
                "NATS_PASSWORD: was the key NATS_PASSWORD of Secret falco-delete, now not set",
                "HTTPS_PROXY: was http://***@proxy:3128, now not set",
            )
        )
        expect(answer.out + answer.err).not_to(contain("hunter2"))
