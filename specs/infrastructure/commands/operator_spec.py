"""falco-playbook on a real cluster, for people who have what ``permissions --operator`` prints."""

import sys
import tempfile
from pathlib import Path

from expects import contain, equal, expect
from mamba import after, before, description, it

from playbooks.core import catalogue
from playbooks.deployment.manifests.rbac import OPERATOR_ROLE, UNDO_ROLE
from playbooks.deployment.manifests.worker import REVISION
from playbooks.infrastructure.kubernetes.api import KubernetesApi
from specs.support.cluster.nodes import OurNodes, a_ready_node
from specs.support.cluster.real_cluster import (
    a_controller,
    a_gated_pod,
    a_name,
    a_namespace,
    a_pod_manifest,
    alert_about,
    answer,
    cleaned_up,
    create,
    delete,
    delete_namespace,
    kubeconfig_of,
    kubectl,
    kubectl_json,
    running_pod,
    token_of,
)
from specs.support.conditions import CLUSTER, not_run_unless
from specs.support.processes import eventually
from specs.support.programs import deploy_playbook, program_of, succeeded

# What is contained, by the playbook that does it: the last one ends pods.
CONTAINED = {
    "label": "pod",
    "isolate": "pod",
    "scale": "deployment",
    "cordon": "node",
    "taint": "node",
    "drain": "node",
}


with description("Somebody on call") as self:
    with before.all:
        self.directory = tempfile.TemporaryDirectory()
        self.namespace, self.shop = a_namespace(), a_namespace()
        succeeded(deploy_playbook("-S"))
        place = ("-n", self.namespace, "-i", "none:1", "-e", f"NAMESPACES={self.shop}")
        succeeded(
            deploy_playbook("-p", "label", "-t", "falco.>", "-E", "kubernetes", "--no-wait", *place)
        )
        printed = program_of(
            *(sys.executable, "-m", "playbooks.commands", "permissions", "--operator")
        )
        for role in (OPERATOR_ROLE, UNDO_ROLE):
            cleaned_up(role, "clusterrole")
        kubectl("apply", "-f", "-", stdin=printed.out)
        kubectl("create", "serviceaccount", "on-call", "-n", self.namespace)
        account = f"--serviceaccount={self.namespace}:on-call"
        here = ("-n", self.namespace, f"--clusterrole={OPERATOR_ROLE}", account)
        kubectl("create", "rolebinding", "on-call", *here)
        self.binding = a_name()
        cleaned_up(self.binding, "clusterrolebinding")
        everywhere = (f"--clusterrole={UNDO_ROLE}", account)
        kubectl("create", "clusterrolebinding", self.binding, *everywhere)
        self.kubeconfig = kubeconfig_of(
            token_of("on-call", self.namespace),
            str(Path(self.directory.name, "kubeconfig")),
            self.namespace,
        )
        self.nodes = [a_ready_node() for _ in range(2)]
        self.cluster = OurNodes(KubernetesApi(), *self.nodes)

    with after.all:
        deploy_playbook("-x", "-p", "label", "-n", self.namespace, "--leave-contained")
        kubectl("delete", "clusterrolebinding", self.binding)
        kubectl("delete", "clusterrole", OPERATOR_ROLE, UNDO_ROLE)
        for node in self.nodes:
            delete("node", node)
        for namespace in (self.namespace, self.shop):
            delete_namespace(namespace)
        self.directory.cleanup()

    def run(self, *words):
        done = program_of(
            sys.executable, "-m", "playbooks.commands", *words, KUBECONFIG=self.kubeconfig
        )
        return done.code, done.out + done.err

    def contain_it(self, playbook, kind):
        """What a person types to undo it."""
        if kind == "deployment":
            create(a_controller("Deployment", "web", self.shop, gated=True))
            selected = ("-n", self.shop, "-l", "app=web")
            (pod,) = eventually(lambda: kubectl_json("get", "pods", *selected)["items"])
        elif kind == "node":
            on_node = a_pod_manifest(playbook, self.shop, nodeName=self.nodes[0])
            (pod,) = create(on_node)
        else:
            pod = a_gated_pod(playbook, self.shop)
        ledger = f"{self.namespace}/falco-{playbook}-ledger"
        outcome = answer(playbook, alert_about(pod), self.cluster, LEDGER=ledger)
        words = outcome.details["undo"].split()[1:]
        return words if playbook == "label" else [*words, "--ledger", ledger]

    with it("undoes what every playbook contains, which goes on record"):
        containing = [
            each.name for each in catalogue.containing() if not each.reaction.CONTAINMENT.REMOVES
        ]
        expect(sorted(CONTAINED)).to(equal(sorted(containing)))
        for playbook, kind in CONTAINED.items():
            code, said = self.run(*self.contain_it(playbook, kind))

            expect((playbook, code, said if code else "")).to(equal((playbook, 0, "")))
            expect((playbook, "there is no Event" in said)).to(equal((playbook, False)))
            expect((playbook, "nothing to undo" in said)).to(equal((playbook, False)))
            expect((playbook, "forbidden" in said)).to(equal((playbook, False)))

    with it("sees what is deployed and contained, and pauses, resumes and resets it"):
        which = ("-p", "label")
        for words in (
            *(("list",), ("status",), ("contained",)),
            ("history", *which, "--since", "1h"),
            *(("pause", *which), ("resume", *which), ("reset", *which), ("pause", "--all")),
            ("resume", *which, "--object", "node/none"),
        ):
            code, said = self.run(*words)
            expect((words, code, said if code else "")).to(equal((words, 0, "")))
            expect((words, "forbidden" in said)).to(equal((words, False)))
        code, said = self.run("list", "-A")
        expect((code, said if code else "")).to(equal((0, "")))
        expect(said).to(contain("falco-label"))

    with it("reaches a worker, and no other pod"):
        labels = {"function": "falco-label", "created-by": "kubeless"}
        for name, namespace in (("worker", self.namespace), ("other", self.shop)):
            pod = a_pod_manifest(name, namespace, labels=labels, container={"name": "falco-label"})
            pod["metadata"]["annotations"] = {REVISION: "1"}
            create(pod)
            running_pod(name, namespace)
        code, said = self.run("dead", "-p", "label")
        may = ("auth", "can-i", "create", "pods/exec", "-n", self.shop)
        account = f"system:serviceaccount:{self.namespace}:on-call"

        # The pod has no Python: the API server let the command through.
        expect(code).to(equal(1))
        expect(said).to(contain("python"))
        expect(said).not_to(contain("forbidden"))
        expect(program_of("kubectl", *may, "--as", account).out.strip()).to(equal("no"))


not_run_unless(CLUSTER, globals())
