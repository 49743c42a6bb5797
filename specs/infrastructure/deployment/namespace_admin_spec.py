"""Deploying with the token of somebody who is admin of one namespace and nothing else."""

import tempfile
from pathlib import Path

from expects import be_empty, contain, equal, expect
from mamba import after, before, description, it

from specs.support.cluster.engines import IMAGE, WORKER_IMAGE
from specs.support.cluster.real_cluster import (
    a_namespace,
    cleaned_up,
    delete_namespace,
    kubeconfig_of,
    kubectl,
    kubectl_json,
    node_address,
    stored,
    token_of,
)
from specs.support.conditions import CLUSTER, not_run_unless, program
from specs.support.loopback.nats_server import Nats
from specs.support.processes import eventually
from specs.support.programs import deploy_playbook, succeeded


def may_deploy(namespace, account):
    who = ("--as", f"system:serviceaccount:{namespace}:{account}")
    words = ("auth", "can-i", "create", "functions.kubeless.io", "-n", namespace)
    return kubectl(*words, *who).strip() == "yes"


with description("deploy_playbook for the admin of a namespace") as self:
    with before.all:
        self.directory = tempfile.TemporaryDirectory()
        self.namespace = a_namespace()
        self.server = Nats(address=node_address()).start()
        succeeded(deploy_playbook("-S"))
        kubectl("create", "serviceaccount", "team", "-n", self.namespace)
        kubectl(
            *("create", "rolebinding", "team", "--clusterrole=admin", "-n", self.namespace),
            f"--serviceaccount={self.namespace}:team",
        )
        path = str(Path(self.directory.name, "kubeconfig"))
        self.kubeconfig = kubeconfig_of(token_of("team", self.namespace), path, self.namespace)
        # Roles are aggregated, and in force, a moment after they were made.
        eventually(lambda: may_deploy(self.namespace, "team"))

    with after.all:
        self.server.remove()
        delete_namespace(self.namespace)
        self.directory.cleanup()

    def deploy(self, playbook, *typed):
        url = ("-e", f"NATS_URL={self.server.url}", "-i", IMAGE, "-t", "falco.critical.*")
        where = ("--kubeconfig", self.kubeconfig, "-E", "kubernetes")
        return deploy_playbook("-p", playbook, *where, *url, *typed)

    with it("deploys what acts there alone, and removes it"):
        code, said = self.deploy("delete", "-e", f"NAMESPACES={self.namespace}")
        expect((code, said if code else "")).to(equal((0, "")))
        pods = kubectl_json("get", "pods", "-n", self.namespace, "-l", "function=falco-delete")
        expect([p["status"]["containerStatuses"][0]["ready"] for p in pods["items"]]).to(
            contain(True)
        )

        where = ("--kubeconfig", self.kubeconfig)
        code, said = deploy_playbook("remove", "-p", "delete", *where)
        expect((code, said if code else "")).to(equal((0, "")))
        expect(stored("deployment", "falco-delete", self.namespace)).to(equal(None))

    with it("says what needs more before it touches anything, and deploys once that is granted"):
        typed = ("-e", "DRY_RUN=true")
        code, said = self.deploy("taint", *typed)
        manifest = said.partition("kubectl apply -f - <<'EOF'\n")[2].partition("EOF\n")[0]

        expect(code).to(equal(1))
        expect(said).to(contain(f"ClusterRole falco-taint.{self.namespace}", "--granted"))
        selected = ("-n", self.namespace, "-l", "function=falco-taint")
        expect(kubectl_json("get", "serviceaccounts,secrets", *selected)["items"]).to(be_empty)

        for kind in ("clusterrole", "clusterrolebinding"):
            cleaned_up(f"falco-taint.{self.namespace}", kind)
        kubectl("apply", "-f", "-", stdin=manifest)
        code, said = self.deploy("taint", *typed, "--granted")
        expect((code, said if code else "")).to(equal((0, "")))


not_run_unless(CLUSTER, globals())
not_run_unless(program("nats-server"), globals())
not_run_unless(WORKER_IMAGE, globals())
