"""Labeling pods and nodes: what is written, how it ends, and what the playbook's own account may
do on a cluster that was set up."""

import json
from functools import partial

from expects import contain, equal, expect, have_key, have_keys
from mamba import after, before, description, it

from playbooks.infrastructure.kubernetes.api import KubernetesApi
from playbooks.infrastructure.kubernetes.cluster import KubernetesCluster
from specs.support.cluster.admission import HeldAccount, in_force, refusal_of
from specs.support.cluster.nodes import a_ready_node
from specs.support.cluster.real_cluster import (
    a_namespace,
    a_pod_manifest,
    alert_about,
    answer,
    create,
    delete,
    delete_namespace,
    kubectl,
    stored,
)
from specs.support.conditions import CLUSTER, not_run_unless
from specs.support.programs import falco_playbook

RULE = "terminal_shell_in_container"


def metadata_of(kind, name, namespace=""):
    return stored(kind, name, namespace)["metadata"]


def written(api, namespace, **metadata):
    """Try to write this of the pod's metadata, in a dry run."""
    path = ("api", "v1", "namespaces", namespace, "pods", "web-0")
    return api.patch(*path, body={"metadata": metadata}, dryRun="All")


with description("Labeling") as self:
    with before.all:
        self.namespace = a_namespace()
        self.node = a_ready_node()
        self.cluster = KubernetesCluster(KubernetesApi())
        self.pod, self.other = create(
            *(
                a_pod_manifest(name, self.namespace, nodeName=self.node)
                for name in ("web-0", "web-1")
            )
        )

    with after.all:
        delete("node", self.node)
        delete_namespace(self.namespace)

    def label(self, pod, ledger, **settings):
        given = {"LEDGER": f"{self.namespace}/{ledger}", **settings}
        return answer("label", alert_about(pod), self.cluster, **given)

    with it("labels and annotates a pod, and undo gives it back as it was"):
        kubectl("label", "pod", "web-0", "-n", self.namespace, "falco/was=there", "theirs=kept")
        was = metadata_of("pod", "web-0", self.namespace)
        outcome = self.label(
            self.pod, "undone", LABELS="falco/was=,falco/alert={rule}", ANNOTATIONS=r"falco/a=b\, c"
        )
        now = metadata_of("pod", "web-0", self.namespace)

        expect((outcome.reason, outcome.error)).to(equal(("labeled", None)))
        expect(now["labels"]).to(have_keys({"falco/alert": RULE, "theirs": "kept"}))
        expect(now["labels"]).not_to(have_key("falco/was"))
        undo = outcome.details["undo"].replace(" -A", "").split()[1:]
        code, said = falco_playbook(*undo, "-p", "label", "--ledger", f"{self.namespace}/undone")
        expect((code, said.count("falco/was=there"))).to(equal((0, 1)))
        expect(metadata_of("pod", "web-0", self.namespace)["labels"]).to(equal(was["labels"]))
        expect(self.label(self.pod, "undone").reason).to(equal("undone"))

    with it("labels the node of a pod, and undo takes that off"):
        ledger = f"{self.namespace}/of-node"
        was = metadata_of("node", self.node)
        outcome = self.label(self.other, "of-node", LABEL_TARGET="node")

        expect(outcome.target).to(equal(f"node {self.node}"))
        expect(metadata_of("node", self.node)["labels"]).to(have_keys({"falco/alert": RULE}))
        noted = json.loads(metadata_of("node", self.node)["annotations"]["falco/labels"])
        expect(noted["labels"]).to(equal({"falco/alert": [RULE, None]}))
        code, said = falco_playbook("undo", f"node/{self.node}", "--ledger", ledger)
        expect(code).to(equal(0))
        expect(said).to(contain(f"node {self.node}: falco/alert-"))
        expect(metadata_of("node", self.node).get("labels")).to(equal(was.get("labels")))


with description("The account of label, on a cluster that was set up,") as self:
    with before.all:
        self.account = HeldAccount("label")
        self.api, self.namespace = self.account.api, self.account.namespace
        (self.pod,) = create(a_pod_manifest("web-0", self.namespace))
        self.written = partial(written, self.api, self.namespace)
        in_force(partial(self.written, labels={"falco/isolated": "x"}), "label-pods")

    with after.all:
        self.account.end()

    with it("writes the keys of its settings, and none by which playbooks know what they contain"):
        outcome = answer("label", alert_about(self.pod), self.account.cluster)

        expect((outcome.reason, outcome.error)).to(equal(("labeled", None)))
        in_force(partial(self.written, labels={"falco/other": "x"}), "but those of LABELS")
        for metadata in (
            {"labels": {"falco/isolated": "x"}},
            {"annotations": {"falco/exempt": "*"}},
            {"annotations": {"theirs": "x"}},
            {"finalizers": ["theirs/x"]},
        ):
            said = refusal_of(partial(self.written, **metadata))
            expect(said).to(contain("'falco-playbook-label-pods'"))

    with it("may not touch a node"):
        said = refusal_of(
            lambda: self.api.patch("api", "v1", "nodes", "x", body={"metadata": {"labels": {}}})
        )
        expect(said).to(contain("cannot patch"))

    with it("is found to be held to that by the check"):
        expect(self.account.found_held()).to(contain("rules tried"))


not_run_unless(CLUSTER, globals())
