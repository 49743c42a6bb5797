"""What the commands do about functions to which alerts are pushed: what is in the cluster of them
is what ``falco-playbook permissions`` prints."""

import json
from functools import lru_cache

from expects import be_empty, contain, equal, expect
from mamba import before, description, it

from playbooks.commands.targets import deployed
from playbooks.core.errors import NotPermitted
from playbooks.core.ledger.book import Book
from playbooks.deployment.apply.orphaned_roles import remove_orphans
from playbooks.deployment.engines import registry
from playbooks.deployment.engines.cluster_engine import ClusterEngine
from playbooks.deployment.manifests import record
from playbooks.infrastructure.kubernetes.ledger import KEY
from playbooks.testing import NOW
from specs.commands.fake_cluster import FakeCluster, a_cluster, run
from specs.deployment.mothers import documents_of

ACCOUNT = "falco@project-1.iam.gserviceaccount.com"
GCF = ("-E", "gcf", "--account", ACCOUNT)
LEDGER = ("ConfigMap", "responders", "falco-delete-ledger")
KNATIVE = ("-E", "knative")
OPENFAAS = ("-E", "openfaas")


@lru_cache(maxsize=None)
def rights(*typed):
    return tuple(documents_of(run("permissions", "-n", "responders", *typed).out))


def pushed(*typed, served=(), **options):
    """A cluster in which somebody applied them."""
    return FakeCluster(*rights(*typed), served=served, namespace="responders", **options)


def checked(cluster, *words):
    done = run("check", *words, "-o", "json", cluster=cluster)
    return {each["check"]: each for each in json.loads(done.out)["checks"]}


with description("A function to which alerts are pushed") as self:
    with before.each:
        self.cluster = pushed("-p", "delete", *GCF, "-e", "NAMESPACES=shop")

    with it("is listed, with its engine, settings and pause, also where Functions are unknown"):
        run("pause", "-p", "delete", "--why", "tests", cluster=self.cluster)
        done = run("status", "-o", "json", cluster=self.cluster)
        (found,) = json.loads(done.out)

        expect((done.code, done.err)).to(equal((0, "")))
        wanted = ("namespace", "name", "playbook", "engine")
        expect([found[key] for key in wanted]).to(
            equal(["responders", "falco-delete", "delete", "gcf"])
        )
        expect(found["settings"]).to(equal({"NAMESPACES": "shop"}))
        expect(found["paused"]["why"]).to(equal("tests"))
        expect((found["ready"], found["topics"])).to(equal((None, None)))
        expect(found["worker_error"]).to(contain("is a function of -E gcf: it has no worker"))

    with it("is listed whichever engine calls it, as whoever it is, and its roles are no orphans"):
        for name, engine in registry.known().items():
            if isinstance(engine, ClusterEngine):
                continue
            who = [word for each in engine.identity for word in (each.flags[0], ACCOUNT)]
            typed = ("permissions", "-n", "responders", "-p", "delete", "-E", name, *who)
            done = run(*typed)
            if "it has no account" in done.err:
                continue
            cluster = FakeCluster(*documents_of(done.out), namespace="responders")
            (found,) = deployed.functions(cluster, "responders")

            expect(record.engine_of(found)).to(equal(name))
            expect(deployed.subjects_of(found)).not_to(be_empty)
            expect(remove_orphans(cluster)).to(equal(([], [])))

    with it("is listed beside Functions, and says what only its engine knows"):
        cluster = a_cluster(namespace="responders", also=rights("-p", "isolate", *KNATIVE))
        lines = run("list", cluster=cluster).out.splitlines()
        status = run("status", "-p", "isolate", cluster=cluster).out

        expect([line.split()[1] for line in lines[1:]]).to(equal(["falco-delete", "falco-isolate"]))
        expect(lines[2].split()[2:5]).to(equal(["isolate", "unknown", "unknown"]))
        expect(status).to(contain("unknown: its engine has them as TOPICS"))

    with it("is left out with a warning where bindings may not be listed"):
        cluster = a_cluster(namespace="responders")
        cluster.failures["rolebindings.rbac.authorization.k8s.io"] = NotPermitted("forbidden")
        done = run("list", cluster=cluster)

        expect(done.code).to(equal(0))
        expect(done.err).to(contain("functions to which alerts are pushed are left out: forbidden"))

    with it("is not spoken of where Functions may not be listed either, which is the error"):
        cluster = a_cluster(namespace="responders")
        for kind in ("rolebindings.rbac.authorization.k8s.io", "functions.kubeless.io"):
            cluster.failures[kind] = NotPermitted(f"may not list {kind}")
        done = run("list", cluster=cluster)

        expect((done.code, done.err)).to(
            equal((1, "falco-playbook: error: may not list functions.kubeless.io\n"))
        )

    with it("is not what a binding of somebody else says, or one of no playbook"):
        for key, value in (("falco/playbook", "/etc/evil.py"), ("falco/engine", "nonsense")):
            made = json.loads(json.dumps(rights("-p", "delete", *GCF)))
            for each in made:
                notes = each["metadata"].get("annotations")
                if notes:
                    notes[key] = value
            done = run("list", cluster=FakeCluster(*made, namespace="responders"))

            expect(done.err).to(contain("there are no playbooks"))

    with it("has its past in Events"):
        done = run("history", "-p", "delete", cluster=self.cluster)

        expect(done.code).to(equal(0))
        expect(done.err).to(contain("no worker, and so no stream", "the cluster's Events"))

    with it("has neither dead letters nor a token, which is said"):
        for command in ("dead", "token"):
            done = run(command, "-p", "delete", cluster=self.cluster)

            expect(done.code).to(equal(1))
            expect(done.err).to(contain("is a function of -E gcf: it has no worker"))

    with it("has its ledger exempt what is undone, and swept"):
        cluster = pushed("-p", "taint", *OPENFAAS)
        for words in (("sweep", "-p", "taint"), ("undo", "node/node-1", "-p", "taint")):
            done = run(*words, cluster=cluster)

            expect(done.err).not_to(contain("its ledger is unknown"))
            expect(done.err).not_to(contain("is left out"))

    with it("records no secret that was given"):
        made = rights("-p", "delete", *GCF, "-e", "SLACK_WEBHOOK_URL=https://hooks.example/x")

        expect(json.dumps(made)).not_to(contain("hooks.example"))


with description("falco-playbook check of a function to which alerts are pushed") as self:
    with it("looks at what is in this cluster, and says what shows the rest"):
        cluster = pushed("-p", "delete", *GCF, "-e", "NAMESPACES=shop")
        found = checked(cluster, "-p", "delete")

        expect(found["function"]["says"]).to(contain(f"-E gcf runs it, as User {ACCOUNT}"))
        expect(found["function"]["do"]).to(contain("gcloud functions describe falco-delete"))
        expect(found["rights"]["says"]).to(contain("in shop"))
        expect(found["ledger"]["says"]).to(equal("it is not paused"))
        wrong = [name for name, each in found.items() if each["status"] != "ok"]
        expect(wrong).to(equal(["admission policy"]))
        expect([name for name in found if name in ("topics", "nats", "network policy")]).to(
            be_empty
        )

    with it("asks for the rights of the account that it has, whoever that is"):
        asked = []

        class Asked(FakeCluster):
            def create(self, manifests, *, dry_run=False):
                asked.extend(each["spec"] for each in manifests if "spec" in each)
                return super().create(manifests, dry_run=dry_run)

        for typed, user in (
            (GCF, ACCOUNT),
            (KNATIVE, "system:serviceaccount:responders:falco-delete"),
        ):
            asked.clear()
            cluster = Asked(*rights("-p", "delete", *typed), served=(), namespace="responders")
            cluster.may_not = ("delete pods",)
            found = checked(cluster, "-p", "delete")

            expect({each["user"] for each in asked}).to(equal({user}))
            expect(found["rights"]["status"]).to(equal("failed"))

    with it("asks for those of the group that an access entry of EKS names"):
        found = checked(pushed("-p", "delete", "-E", "lambda"), "-p", "delete")

        expect(found["function"]["says"]).to(contain("-E lambda runs it, as Group falco-delete"))
        expect(found["function"]["do"]).to(contain("aws lambda get-function --function-name falco"))
        expect(found["rights"]["status"]).to(equal("ok"))

    with it("warns of a pause, and of a budget that is used up"):
        cluster = pushed("-p", "delete", *OPENFAAS)
        book = Book()
        book.pause("anna", NOW)
        book.tripped.update(shop={"at": str(NOW), "limit": "3 of 3"})
        cluster.objects[LEDGER]["data"] = {KEY: book.text()}
        found = checked(cluster, "-p", "delete")

        expect(found["ledger"]["says"]).to(contain("it is paused", "anna"))
        expect(found["budgets"]["says"]).to(contain("the budget of namespace shop is used up"))

    with it("says that admission policies hold service accounts only"):
        outside = checked(pushed("-p", "isolate", *GCF), "-p", "isolate")["admission policy"]

        expect(outside["status"]).to(equal("warning"))
        expect(outside["says"]).to(contain(f"it is User {ACCOUNT}"))

    with it("says what to deploy where there is none"):
        found = checked(FakeCluster(namespace="responders"), "-p", "delete")

        expect(found["function"]["status"]).to(equal("failed"))
