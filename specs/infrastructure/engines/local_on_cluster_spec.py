import json
from pathlib import Path

from expects import be_none, contain, equal, expect, have_key, have_len
from mamba import after, before, description, it

from playbooks.core.cluster.network_policy import LABEL
from playbooks.infrastructure.this_pod import SystemClock
from specs.support.cluster.real_cluster import (
    a_fake_node,
    a_namespace,
    a_pod_manifest,
    claimed,
    create,
    delete,
    delete_namespace,
    gone,
    kubectl_json,
    running_pods,
    settled,
    start_deployment,
    stored,
)
from specs.support.conditions import CLUSTER, not_run_unless
from specs.support.engines.local_engine import LocalEngine
from specs.support.loopback.nats_server import NATS_SERVER, Nats
from specs.support.loopback.slack_server import SlackServer, rate_limited

RECORDED = Path(__file__).parents[2] / "support" / "alerts" / "falco_alerts.jsonl"

# "Terminal shell in container", of November 2025.
NUMBER, SUBJECT = 27, "falco.notice.terminal_shell_in_container"


def recorded(pod):
    """The recorded alert, as if it were of now and of this pod; its words are as they were."""
    alert = json.loads(RECORDED.read_text().splitlines()[NUMBER - 1])
    del alert["output_fields"]["container.id"]
    alert["output_fields"].update(claimed(pod))
    return {**alert, "hostname": pod["spec"]["nodeName"], "time": str(SystemClock().now())}


with description("./deploy_playbook -E local, on a NATS server and the real cluster,") as self:
    with before.each:
        self.nats = Nats(jetstream=False).start()
        self.namespace = a_namespace()
        (self.pod,) = start_deployment(self.namespace)
        self.name = f"{self.namespace}/{self.pod['metadata']['name']}"
        self.engine = None

    with after.each:
        if self.engine:
            self.engine.__exit__(None, None, None)
        self.nats.remove()
        delete_namespace(self.namespace)

    def start(self, playbook, **settings):
        words = ["-p", playbook, "-t", "falco.notice.*", "-e", f"NATS_URL={self.nats.url}"]
        words += ["-n", self.namespace]
        for name, value in {"NAMESPACES": self.namespace, **settings}.items():
            words += ["-e", f"{name}={value}"]
        self.engine = LocalEngine(*words)
        self.engine.says("listening on")
        return self.engine

    def publish(self, alert):
        self.nats.publish((SUBJECT, json.dumps(alert).encode()))

    with it("deletes the running pod of the alert, which its ReplicaSet replaces"):
        engine = self.start("delete")
        self.publish(recorded(self.pod))
        engine.says(f"deletion accepted of pod {self.name}")
        gone(self.pod)
        (other,) = running_pods(self.namespace, app="web")
        code = engine.ended(interrupted=True)

        expect(other["metadata"]["uid"]).not_to(equal(self.pod["metadata"]["uid"]))
        expect(engine.log).to(contain("This acts on the cluster of", "read again", "gone"))
        expect(code).to(equal(0))

    with it("leaves a pod alone that is not the one in the alert"):
        engine = self.start("delete")
        alert = recorded(self.pod)
        alert["output_fields"]["container.id"] = "0123456789ab"
        self.publish(alert)
        engine.says("has no container 0123456789ab")

        expect(stored("pod", self.pod["metadata"]["name"], self.namespace)).not_to(be_none)

    with it("taints the node of the pod, and keeps its other taints"):
        node = a_fake_node()
        (pod,) = create(a_pod_manifest("bound", self.namespace, nodeName=node))
        before_it = settled(node)["spec"]["taints"]
        engine = self.start("taint", TAINT_KEY="falco-spec/local")
        self.publish(recorded(pod))
        engine.says(f"added taint falco-spec/local=true:NoSchedule to node {node}")
        taints = stored("node", node)["spec"]["taints"]
        delete("node", node)

        added = {"key": "falco-spec/local", "value": "true", "effect": "NoSchedule"}
        expect(taints).to(equal([*before_it, added]))

    with it("isolates the pod, which stays while its ReplicaSet starts another"):
        engine = self.start("isolate")
        self.publish(recorded(self.pod))
        engine.says("policy stored: falco-isolate-")
        uid = self.pod["metadata"]["uid"]
        policies = kubectl_json("get", "networkpolicies", "-n", self.namespace)["items"]
        pod = stored("pod", self.pod["metadata"]["name"], self.namespace)
        (other,) = running_pods(self.namespace, app="web")
        engine.ended(interrupted=True)

        expect(policies).to(have_len(1))
        expect(policies[0]["spec"]["podSelector"]["matchLabels"]).to(equal({LABEL: uid}))
        expect(pod["metadata"]["labels"]).to(equal({LABEL: uid}))
        expect(pod["metadata"]).not_to(have_key("deletionTimestamp"))
        expect(other["metadata"]["uid"]).not_to(equal(uid))
        expect(engine.log).to(
            contain(f"no ingress and no egress for pod {pod['metadata']['name']}")
        )

    with it("tells Slack, also where Slack asks for patience first"):
        with_slack = SlackServer(rate_limited(1))
        try:
            engine = self.start("slack", SLACK_WEBHOOK_URL=with_slack.url)
            self.publish(recorded(self.pod))
            engine.says("told Slack about Terminal shell in container")
        finally:
            with_slack.stop()

        expect(with_slack.asked).to(have_len(2))
        expect(json.dumps(with_slack.messages)).to(contain(self.pod["metadata"]["name"]))
        expect(engine.log).not_to(contain(with_slack.url))


not_run_unless(CLUSTER, globals())
not_run_unless(NATS_SERVER, globals())
