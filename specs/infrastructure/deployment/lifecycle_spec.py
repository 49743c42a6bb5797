"""A playbook on a real cluster from its manifests in a repository to its removal."""

import yaml
from expects import be_empty, contain, equal, expect
from mamba import after, before, description, it

from specs.support.cluster.engines import IMAGE, WORKER_IMAGE
from specs.support.cluster.real_cluster import (
    a_namespace,
    a_pod_manifest,
    alert_about,
    create,
    delete_namespace,
    kubectl,
    kubectl_json,
    node_address,
    running_pod,
    stored,
)
from specs.support.conditions import CLUSTER, not_run_unless, program
from specs.support.loopback.nats_server import Nats
from specs.support.processes import eventually
from specs.support.programs import deploy_playbook, succeeded

TOPIC = "falco.critical.*"
SUBJECT = "falco.critical.terminal_shell_in_container"
USER = "authorization { user: worker, password: right }"


def printed(*words):
    said = succeeded(deploy_playbook("-d", *words))
    # Warnings come last, on standard error.
    return said.partition("deploy_playbook: ")[0]


def succeed(*words):
    return succeeded(deploy_playbook(*words))


with description("A playbook") as self:
    with before.all:
        self.server = Nats(address=node_address(), config=USER, user="worker:right").start()
        self.namespace = a_namespace()
        succeed("-S")

    with after.all:
        self.server.remove()
        delete_namespace(self.namespace)

    def words(self, playbook, *more, password="right"):
        credentials = ("-e", "NATS_USER=worker", "-e", f"NATS_PASSWORD={password}")
        where = ("-E", "kubernetes", "-n", self.namespace, "-i", IMAGE, "-t", TOPIC)
        return ("-p", playbook, *where, "-e", f"NATS_URL={self.server.server}", *credentials, *more)

    with it("ends soon with the reason where its NATS credentials are wrong"):
        code, said = deploy_playbook(*self.words("delete", password="wrong"))

        expect(code).to(equal(1))
        expect(said).to(contain("the worker says: NATS", "Authorization Violation", "rolled back"))
        expect(stored("deployment", "falco-delete", self.namespace)).to(equal(None))

    with it("runs from what -d prints, beside the Secret that is made once"):
        words = self.words("delete", "-e", "DRY_RUN=true")
        succeed("secrets", *words)
        manifests = printed(*words)
        expect([m["kind"] for m in yaml.safe_load_all(manifests)]).not_to(contain("Secret"))
        kubectl("apply", "-f", "-", stdin=manifests)
        kubectl(
            *("rollout", "status", "deployment/falco-delete", "-n", self.namespace),
            "--timeout=90s",
            seconds=100,
        )

        expect(printed(*words)).to(equal(manifests))
        expect(kubectl("apply", "-f", "-", stdin=manifests)).not_to(contain("created"))
        succeed("remove", "-p", "delete", "-n", self.namespace)
        selected = ("-n", self.namespace, "-l", "function=falco-delete")
        expect(kubectl_json("get", "deployments,secrets,configmaps", *selected)["items"]).to(
            be_empty
        )

    with it("is removed once what it contains is released, with its consumers"):
        succeed(*self.words("isolate"))
        # One that a controller has replaced cannot be released.
        name = "web"
        create(a_pod_manifest(name, self.namespace))
        pod = running_pod(name, self.namespace)
        self.server.publish((SUBJECT, alert_about(pod)))

        def isolated():
            found = stored("pod", name, self.namespace)
            return "falco/isolated" in (found["metadata"].get("labels") or {})

        eventually(isolated)
        where = ("-p", "isolate", "-n", self.namespace)
        code, said = deploy_playbook("remove", *where)
        expect(code).to(equal(1))
        expect(said).to(contain(f"pod {self.namespace}/{name}", "nothing was removed"))
        expect(stored("deployment", "falco-isolate", self.namespace)).not_to(equal(None))

        said = succeed("remove", *where, "--release")
        expect(said).to(contain(f"released  pod {self.namespace}/{name} is released"))
        expect(isolated()).to(equal(False))
        expect("not recorded" in said).to(equal(False))
        undone = ("--field-selector", f"reason=Undone,involvedObject.name={name}")
        (event,) = kubectl_json("get", "events", "-n", self.namespace, *undone)["items"]
        expect(event["message"]).to(contain("is released", "who removes falco-isolate"))
        expect(kubectl_json("get", "networkpolicies", "-n", self.namespace)["items"]).to(be_empty)
        streams = ("FALCO", "FALCO_INBOX")
        left = [self.server.call(f"CONSUMER.NAMES.{stream}")["total"] for stream in streams]
        expect(left).to(equal([0, 0]))


not_run_unless(CLUSTER, globals())
not_run_unless(program("nats-server"), globals())
not_run_unless(WORKER_IMAGE, globals())
