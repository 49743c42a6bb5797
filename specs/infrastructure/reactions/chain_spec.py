"""A chain on the real cluster, with the account that deploying it makes, on a cluster that was set
up: what its steps do to a running pod, and what the API server holds it to."""

from expects import contain, equal, expect, have_key
from mamba import after, before, description, it

from specs.support.cluster.admission import HeldAccount, in_force, passes, refusal_of
from specs.support.cluster.real_cluster import (
    a_pod_manifest,
    alert_about,
    answer,
    create,
    gone,
    kubectl_json,
    running_pod,
    stored,
)
from specs.support.conditions import CLUSTER, not_run_unless
from specs.support.programs import falco_playbook

STEPS = "label,isolate,delete"
SETTINGS = {"STEPS": STEPS, "ISOLATE_DETACH": "false", "GRACE_PERIOD_SECONDS": "2"}
PODS = ("api", "v1", "namespaces")


def told(outcome):
    return [(each["step"], each["status"], each["reason"]) for each in outcome.details["steps"]]


def patched(api, namespace, name, metadata):
    """Try to, in a dry run."""
    path = (*PODS, namespace, "pods", name)
    return api.patch(*path, body={"metadata": metadata}, dryRun="All")


with description("The account of a chain") as self:
    with before.all:
        self.account = HeldAccount("chain", **SETTINGS)
        self.api, self.namespace = self.account.api, self.account.namespace
        ns = self.namespace
        create(*(a_pod_manifest(name, ns, labels={"app": name}) for name in ("web", "db")))
        self.web, self.db = (running_pod(name, ns) for name in ("web", "db"))
        strange = {"labels": {"another": "x"}}
        in_force(lambda: patched(self.api, ns, "db", strange), "as one of its steps does")

    with after.all:
        self.account.end()

    def patch(self, name, **metadata):
        return patched(self.api, self.namespace, name, metadata)

    def deleted(self, pod, **options):
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "dryRun": ["All"], **options}
        path = (*PODS, self.namespace, "pods", pod["metadata"]["name"])
        return self.api.delete(*path, body=body)

    def run(self, pod, **settings):
        given = {**SETTINGS, "LEDGER": f"{self.namespace}/falco-chain-ledger", **settings}
        return answer("chain", alert_about(pod), self.account.cluster, **given)

    with it("labels a running pod, isolates it and then deletes it, for one alert"):
        outcome = self.run(self.web)

        expect((outcome.reason, outcome.error)).to(equal(("deletion-accepted", None)))
        expect([(step, status) for step, status, _ in told(outcome)]).to(
            equal([("label", "acted"), ("isolate", "acted"), ("delete", "acted")])
        )
        expect(outcome.details["evidence"]).to(contain("is ", "in pod"))
        path = ("get", "networkpolicies", "-n", self.namespace)
        (policy,) = kubectl_json(*path)["items"]
        expect(policy["spec"]["podSelector"]["matchLabels"]["falco/isolated"]).to(
            equal(self.web["metadata"]["uid"])
        )
        expect(gone(self.web)).to(equal(True))

    with it("goes on where it stopped when the alert comes again, and undo takes it back"):
        first = self.run(self.db, STEPS="label,isolate")
        again = self.run(self.db, STEPS="label,isolate")
        pod = stored("pod", "db", self.namespace)

        expect(first.reason).to(equal("chain-done"))
        expect(told(again)).to(
            equal(
                [
                    ("label", "skipped", "already-labeled"),
                    ("isolate", "skipped", "already-isolated"),
                ]
            )
        )
        expect(pod["metadata"]["labels"]).to(have_key("falco/alert"))
        ledger = ("--ledger", f"{self.namespace}/falco-chain-ledger")
        for playbook in ("isolate", "label"):
            place = ("pod/db", "-n", self.namespace, "-p", playbook)
            expect(falco_playbook("undo", *place, *ledger)[0]).to(equal(0))
        labels = stored("pod", "db", self.namespace)["metadata"]["labels"]
        expect(labels).to(equal({"app": "db"}))

    with it("changes what one of its steps changes, and nothing else"):
        uid = {"preconditions": {"uid": self.db["metadata"]["uid"]}}

        expect(passes(lambda: self.patch("db", labels={"falco/alert": "x"}))).to(equal(True))
        for change, words in (
            (lambda: self.patch("db", labels={"app": "x"}), "as one of its steps does"),
            (lambda: self.patch("db", labels={"falco/isolated": "x"}), "as one of its steps does"),
            (lambda: self.patch("db", finalizers=["falco/x"]), "neither finalizers nor owners"),
            (lambda: self.deleted(self.db, gracePeriodSeconds=2), "its uid as precondition"),
            (lambda: self.deleted(self.db, gracePeriodSeconds=3, **uid), "one of its steps"),
        ):
            expect(refusal_of(change)).to(contain(words))
        expect(passes(lambda: self.deleted(self.db, gracePeriodSeconds=2, **uid))).to(equal(True))

    with it("is found by falco-playbook check to be held to its steps"):
        expect(self.account.found_held()).to(contain("rules tried"))

    with it("may do nothing that only a step does which is not listed"):
        name = self.web["spec"]["nodeName"]

        expect(
            refusal_of(lambda: self.api.patch("api", "v1", "nodes", name, body={}, dryRun="All"))
        ).to(contain("cannot patch resource"))


not_run_unless(CLUSTER, globals())
