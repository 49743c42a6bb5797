"""The whole way on real Kubeless: its CLI, its controllers, its Python runtime, a real NATS server.

Wants the kubeless CLI on the PATH, controllers that answer, and NATS at ``NATS_URL`` (default
nats://127.0.0.1:4222), where the trigger controller subscribes. Functions run in the cluster.
"""

import asyncio
import json
import os
import subprocess
import tempfile
from pathlib import Path

import nats
from expects import be_empty, contain, equal, expect, have_len
from mamba import after, before, description, it

from playbooks.infrastructure.this_pod import SystemClock
from specs.support.cluster.engines import FUNCTIONS, KUBELESS, TRIGGERS, controller_at_work
from specs.support.cluster.real_cluster import (
    a_fake_node,
    a_namespace,
    a_pod_manifest,
    claimed,
    create,
    delete,
    delete_namespace,
    gone,
    kubectl,
    kubectl_json,
    node_address,
    running_pods,
    start_deployment,
    stored,
)
from specs.support.conditions import Condition, not_run_unless
from specs.support.engines.falcosidekick import FALCOSIDEKICK, Falcosidekick
from specs.support.loopback.slack_server import SlackServer
from specs.support.processes import eventually

RECORDED = Path(__file__).resolve().parents[2] / "support" / "alerts" / "falco_alerts.jsonl"
DEPLOY = str(Path(__file__).resolve().parents[3] / "deploy_playbook")
NATS_URL = os.environ.get("NATS_URL", "nats://127.0.0.1:4222")
SUBJECT = "falco.notice.terminal_shell_in_container"
TAINT_KEY = "falco-spec/kubeless"


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert not done.returncode, f"{' '.join(command)}: {done.stdout}{done.stderr}"
    return done.stdout


def deploy(namespace, playbook, *arguments):
    """Deploy, and wait until Kubeless has its function ready, and the function answers."""
    # Its controllers may run outside of the cluster, where -E auto would not see them.
    engine = ("-E", "kubeless", "-n", namespace)
    run(DEPLOY, *engine, "-p", playbook, "-t", "falco.notice.*", *arguments)
    eventually(lambda: "1/1 READY" in listed(namespace, playbook), 90)
    # Its pods have no readiness probe: they are ready before they listen.
    service = f"/api/v1/namespaces/{namespace}/services/falco-{playbook}:8080"
    eventually(lambda: kubectl("get", "--raw", f"{service}/proxy/healthz"), 60)


def remove(namespace, playbook):
    # One that a controller has replaced could not be released.
    run(DEPLOY, "-n", namespace, "-p", playbook, "-x", "--leave-contained")


def listed(namespace, playbook):
    return run("kubeless", "function", "list", f"falco-{playbook}", "-n", namespace)


def alert_about(pod):
    """A recorded shell in a container, as if it were of now and of this pod."""
    alert = json.loads(RECORDED.read_text(encoding="utf-8").splitlines()[26])
    del alert["output_fields"]["container.id"]
    fields = {**alert["output_fields"], **claimed(pod)}
    now = {"time": str(SystemClock().now()), "hostname": pod["spec"]["nodeName"]}
    return {**alert, **now, "output_fields": fields}


def publish(alert):
    async def connect_and_publish():
        client = await nats.connect(NATS_URL)
        await client.publish(SUBJECT, json.dumps(alert).encode())
        await client.close()

    asyncio.run(connect_and_publish())


def publish_until(check, alert, seconds=60):
    """Core NATS keeps nothing for a subscriber that is not there yet, so it is said again."""

    def said():
        publish(alert)
        return eventually(check, 3)

    return eventually(said, seconds)


def has_our_taint(node):
    return any(t["key"] == TAINT_KEY for t in stored("node", node)["spec"].get("taints") or [])


def outcomes(namespace, playbook):
    log = run("kubeless", "function", "logs", f"falco-{playbook}", "-n", namespace)
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    return [line for line in lines if "status" in line]


with description("On real Kubeless") as self:
    with description("the delete playbook"):
        with before.all:
            self.namespace = a_namespace()
            self.pods = start_deployment(self.namespace, replicas=2)
            deploy(self.namespace, "delete", "-t", "falco.critical.*")
            publish_until(lambda: gone(self.pods[0], 2), alert_about(self.pods[0]))

        with after.all:
            remove(self.namespace, "delete")
            delete_namespace(self.namespace)

        with it("deletes the running pod that a published alert names"):
            expect(gone(self.pods[0])).to(equal(True))

        with it("leaves its sibling alone, and the ReplicaSet starts another"):
            names = [
                pod["metadata"]["uid"] for pod in running_pods(self.namespace, app="web", count=2)
            ]

            expect(names).to(contain(self.pods[1]["metadata"]["uid"]))

        with it("is listed by the kubeless CLI, with its triggers"):
            triggers = run("kubeless", "trigger", "nats", "list", "-n", self.namespace)

            expect(listed(self.namespace, "delete")).to(contain("1/1 READY"))
            expect(triggers).to(contain("falco-delete-trigger-0", "falco.notice.*"))
            expect(triggers).to(contain("falco-delete-trigger-1", "falco.critical.*"))

        with it("logs its outcome for the kubeless CLI"):
            acted = [o for o in outcomes(self.namespace, "delete") if o["status"] == "acted"]

            expect(acted).to(have_len(1))
            expect(acted[0]["reason"]).to(equal("deletion-accepted"))

        with it("is counted by the kubeless CLI"):
            top = run("kubeless", "function", "top", "-n", self.namespace, "-o", "json")

            expect(top).to(contain('"falco-delete"'))

        with it("is not changed by deploying it again"):
            before_that = stored(FUNCTIONS, "falco-delete", self.namespace)["metadata"]
            deploy(self.namespace, "delete", "-t", "falco.critical.*")
            after_that = stored(FUNCTIONS, "falco-delete", self.namespace)["metadata"]

            expect(after_that["resourceVersion"]).to(equal(before_that["resourceVersion"]))

    with description("the taint playbook"):
        with before.all:
            self.namespace = a_namespace()
            self.node = a_fake_node()
            (pod,) = create(a_pod_manifest("bound", self.namespace, nodeName=self.node))
            kubectl("taint", "node", self.node, "falco-spec/theirs=a:NoSchedule")
            allowed = ("-e", "ALLOW_CONTROL_PLANE=true")
            deploy(self.namespace, "taint", "-e", f"TAINT_KEY={TAINT_KEY}", *allowed)
            publish_until(lambda: has_our_taint(self.node), alert_about(pod))

        with after.all:
            delete("node", self.node)
            remove(self.namespace, "taint")
            delete_namespace(self.namespace)

        with it("taints the node of the pod, and keeps its other taints"):
            theirs = {"key": "falco-spec/theirs", "value": "a", "effect": "NoSchedule"}
            ours = {"key": TAINT_KEY, "value": "true", "effect": "NoSchedule"}

            expect(stored("node", self.node)["spec"]["taints"]).to(contain(theirs, ours))

    with description("the isolate playbook"):
        with before.all:
            self.namespace = a_namespace()
            self.pods = start_deployment(self.namespace)
            deploy(self.namespace, "isolate")
            publish_until(
                lambda: (
                    kubectl_json(
                        "get", "networkpolicy", "-n", self.namespace, "-l", "falco/isolated"
                    )["items"]
                    != []
                ),
                alert_about(self.pods[0]),
            )

        with after.all:
            remove(self.namespace, "isolate")
            delete_namespace(self.namespace)

        with it("cuts the pod off and detaches it, and the ReplicaSet starts another"):
            pod = self.pods[0]["metadata"]
            others = running_pods(self.namespace, app="web")

            expect(stored("pod", pod["name"], self.namespace)["metadata"]["labels"]).to(
                equal({"falco/isolated": pod["uid"]})
            )
            expect([other["metadata"]["uid"] for other in others]).not_to(contain(pod["uid"]))

    with description("the slack playbook"):
        with before.all:
            self.namespace = a_namespace()
            self.pods = start_deployment(self.namespace)
            self.slack = SlackServer(address=node_address())
            deploy(self.namespace, "slack", "-e", f"SLACK_WEBHOOK_URL={self.slack.url}")
            publish_until(lambda: self.slack.messages != [], alert_about(self.pods[0]))

        with after.all:
            self.slack.stop()
            remove(self.namespace, "slack")
            delete_namespace(self.namespace)

        with it("posts the alert"):
            expect(json.dumps(self.slack.messages[0])).to(contain(self.pods[0]["metadata"]["name"]))

        with it("keeps the webhook URL out of the Function and of its log"):
            function = json.dumps(stored(FUNCTIONS, "falco-slack", self.namespace))
            log = run("kubeless", "function", "logs", "falco-slack", "-n", self.namespace)

            expect(function + log).not_to(contain(self.slack.url))

    with description("a function that the kubeless CLI deletes"):
        with before.all:
            self.namespace = a_namespace()
            deploy(self.namespace, "delete")
            run(
                "kubeless",
                "trigger",
                "nats",
                "delete",
                "falco-delete-trigger-0",
                "-n",
                self.namespace,
            )
            run("kubeless", "function", "delete", "falco-delete", "-n", self.namespace)

        with after.all:
            delete_namespace(self.namespace)

        with it("takes with it what it owns"):
            others = "deployment,service,serviceaccount,secret,networkpolicy"
            kinds = f"{FUNCTIONS},{TRIGGERS},{others}"

            def left():
                found = kubectl_json(
                    "get", kinds, "-n", self.namespace, "-l", "function=falco-delete"
                )
                return found["items"]

            expect(eventually(lambda: left() == [], 60)).to(equal(True))

        with it("leaves a role and a binding, which -x removes"):
            remove(self.namespace, "delete")
            roles = kubectl_json(
                "get",
                "clusterrole,clusterrolebinding",
                "-l",
                f"falco/function-namespace={self.namespace}",
            )

            expect(roles["items"]).to(be_empty)


with description("Falcosidekick's Kubeless output, on real Kubeless") as self:
    with before.all:
        self.namespace, self.directory = a_namespace(), tempfile.TemporaryDirectory()
        self.pods = start_deployment(self.namespace, replicas=2)
        rule = alert_about(self.pods[0])["rule"]
        deploy(self.namespace, "isolate", "-e", f"RULES={rule}", "-e", "ISOLATE_DIRECTION=egress")
        self.sidekick = Falcosidekick(
            self.directory.name,
            KUBELESS_FUNCTION="falco-isolate",
            KUBELESS_NAMESPACE=self.namespace,
            KUBELESS_PORT="8080",
            KUBELESS_KUBECONFIG=os.environ["KUBECONFIG"],
        )

    with after.all:
        self.sidekick.kill()
        remove(self.namespace, "isolate")
        self.directory.cleanup()
        delete_namespace(self.namespace)

    with it(
        "has the function isolate the pod of an alert of this rule, and no other, without NATS"
    ):
        self.sidekick.take({**alert_about(self.pods[1]), "rule": "Another rule"})
        self.sidekick.take(alert_about(self.pods[0]))
        policies = ("get", "networkpolicy", "-n", self.namespace, "-l", "falco/isolated")
        eventually(lambda: kubectl_json(*policies)["items"] != [], 60)

        (policy,) = kubectl_json(*policies)["items"]
        uid = self.pods[0]["metadata"]["uid"]
        expect(policy["metadata"]["labels"]["falco/isolated"]).to(equal(uid))
        expect(policy["spec"]["policyTypes"]).to(equal(["Egress"]))


not_run_unless(
    Condition(
        KUBELESS.holds and controller_at_work(),
        "kubeless is not on the PATH, or no Kubeless controller answers in the cluster",
    ),
    globals(),
)
not_run_unless(FALCOSIDEKICK, globals(), title="Falcosidekick")
