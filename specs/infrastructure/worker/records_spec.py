import json
import os
import sys
import time
from dataclasses import replace

from expects import be_above, be_empty, contain, equal, expect, have_len
from mamba import after, before, description, it

from playbooks.commands import __main__ as program
from playbooks.commands.options import Session
from playbooks.core.errors import NotPermitted
from playbooks.core.notifications import kinds
from playbooks.core.outcome import Outcome, TargetRef
from playbooks.deployment.removal.client import FunctionLedger
from playbooks.deployment.removal.release import put_on_record
from playbooks.engines.worker.operator.protocol import PROGRAM, VERSION
from playbooks.infrastructure.kubernetes.api import KubernetesApi
from playbooks.infrastructure.kubernetes.events import KubernetesEvents
from playbooks.infrastructure.kubernetes.objects import of_context
from playbooks.infrastructure.this_pod import SystemClock, ThisPod
from playbooks.testing import an_alert
from specs.support.cluster import real_cluster as cluster
from specs.support.conditions import CLUSTER, not_run_unless
from specs.support.conditions import program as on_the_path
from specs.support.loopback.slack_server import SlackServer
from specs.support.processes import eventually
from specs.support.programs import program_of, run_here
from specs.support.worker.worker_on_cluster import FUNCTION, IN_A_POD, Served

TOPIC = "falco.error.*"


def events(namespace, name):
    found = cluster.kubectl_json("get", "events.events.k8s.io", "-n", namespace)["items"]
    return [
        each
        for each in found
        if each["regarding"]["name"] == name
        and each.get("reportingController", "").startswith("falco-playbooks/")
    ]


def the_event(namespace, name):
    def there():
        found = events(namespace, name)
        assert found, f"there is no Event about {name}"
        return found[0]

    return eventually(there)


def publish(served, pod, **changes):
    alert = cluster.alert_about(pod, priority="Error", rule="Shell in pod", **changes)
    served.nats.publish(("falco.error.x", json.dumps(alert).encode()))


def run(*arguments):
    """falco-playbook, with the kubectl and the cluster there are."""
    return run_here(lambda: program.main(arguments, Session(of_context, os.environ)))


with description("What a worker did, on record in the cluster") as self:
    with before.all:
        self.served = Served(TOPIC)
        self.served.begin()
        self.worker = self.served.start_serving(**IN_A_POD)

    with after.all:
        self.served.end()

    with it("is an Event on the pod, as kubectl shows it"):
        namespace = self.served.namespace
        pod = cluster.a_gated_pod("seen", namespace)
        publish(self.served, pod, output="03:00:00.0: Error mysql -pS3cret")
        found = the_event(namespace, "seen")

        expect(found["regarding"]["uid"]).to(equal(pod["metadata"]["uid"]))
        expect((found["reason"], found["action"], found["type"])).to(
            equal(("DeletionAccepted", "delete", "Normal"))
        )
        expect(found["note"]).to(equal(f"Shell in pod: deletion accepted of pod {namespace}/seen"))
        # What the admission policy holds it to.
        account = f"system:serviceaccount:{namespace}:{FUNCTION}"
        expect(found["reportingInstance"]).to(equal(account))
        expect(cluster.kubectl("events", "-n", namespace, "--for", "pod/seen")).to(
            contain("DeletionAccepted", "Shell in pod: deletion accepted")
        )

    with it("is a message in a stream, and what was skipped is one, too"):
        pod = cluster.a_gated_pod("kept", self.served.namespace)
        publish(self.served, pod)
        publish(self.served, pod, fields={"k8s.pod.uid": "another"})

        def both():
            bodies = [json.loads(m["body"]) for m in self.served.nats.messages("FALCO_OUTCOMES")]
            mine = [b for b in bodies if b["target"].endswith("/kept")]
            assert len(mine) == 2, mine
            return mine

        found = eventually(both)

        expect(sorted(each["status"] for each in found)).to(equal(["acted", "skipped"]))
        expect(len(found[0]["why"])).to(be_above(1))
        expect(found[0]["alert"]["rule"]).to(equal("Shell in pod"))

    with it("has its history in the stream, with who took something back"):
        namespace = self.served.namespace
        settings = {
            "PLAYBOOK": "delete",
            "FUNCTION_NAME": FUNCTION,
            "FUNCTION_NAMESPACE": namespace,
            "NATS_URL": self.served.nats.url,
        }

        def ask(*words):
            words = (words[0], "--uid", "uid", *words[1:])
            done = program_of(sys.executable, "-m", PROGRAM, *words, **settings)
            return [json.loads(line) for line in done.out.splitlines()]

        pod = cluster.a_gated_pod("past", namespace)
        publish(self.served, pod)
        the_event(namespace, "past")
        noted = {"playbook": "delete", "reason": "undone", "target": f"pod {namespace}/past"}
        said = ask("note", "--document", json.dumps(noted))
        expect([said[0], said[-1]]).to(equal([{"protocol": VERSION}, {"end": 1}]))
        lines = ask("history", "--since", "3600")
        about = [each for each in lines if each.get("target", "").endswith("/past")]

        expect([each["reason"] for each in about]).to(equal(["deletion-accepted", "undone"]))
        expect(lines[-1]).to(equal({"end": len(lines) - 2}))
        expect(ask("history", "--since", "0")[1:]).to(equal([{"end": 0}]))

    with it("has its history in the Events where no worker is deployed"):
        namespace = self.served.namespace
        pod = cluster.a_gated_pod("told", namespace)
        publish(self.served, pod)
        the_event(namespace, "told")
        target = TargetRef("undo", "Pod", "told", namespace, pod["metadata"]["uid"])
        known = FunctionLedger((namespace, f"{FUNCTION}-ledger"), FUNCTION, "delete")
        undone = kinds.undone(target, "it is back", "ann")
        problems = put_on_record(of_context(), known, undone)
        expect(problems).to(be_empty)
        done = run("history", "-p", "delete", "-n", namespace, "-o", "json")
        about = [each for each in json.loads(done.out) if each["target"].endswith("/told")]

        expect(done.code).to(equal(0))
        expect(done.err).to(contain("has no worker", "kept for an hour"))
        expect([each["what"] for each in about]).to(equal(["acted", "undone"]))
        expect(about[0]["undone"]["by"]).to(equal("ann"))

    with it("is told of a dry run as well, which changes nothing else"):
        namespace = self.served.namespace
        dry = self.served.start(DRY_RUN="true", HTTP_PORT="0", **IN_A_POD)
        self.worker.end()
        dry.says(f"subscribed to {TOPIC}")
        pod = cluster.a_gated_pod("spared", namespace)
        publish(self.served, pod)
        found = the_event(namespace, "spared")
        dry.end()
        self.worker = self.served.start_serving(**IN_A_POD)

        expect(found["reason"]).to(equal("WouldDelete"))
        expect(found["note"]).to(contain("would delete pod"))
        expect(cluster.stored("pod", "spared", namespace)["metadata"]["uid"]).to(
            equal(pod["metadata"]["uid"])
        )


with description("A budget that trips") as self:
    with before.all:
        self.slack = SlackServer()
        self.served = Served(TOPIC)
        self.served.begin()
        told = {"SLACK_OUTCOMES": "true", "SLACK_WEBHOOK_URL": self.slack.url}
        self.worker = self.served.start_serving(MAX_ACTIONS="1", **told, **IN_A_POD)

    with after.all:
        self.served.end()
        self.slack.stop()

    with it("is told to Slack once, and is one Event, however many alerts it stops"):
        namespace = self.served.namespace
        pods = [cluster.a_gated_pod(name, namespace) for name in ("first", "second", "third")]
        for number, pod in enumerate(pods, 1):
            publish(self.served, pod)
            eventually(lambda number=number: len(self.worker.outcomes) == number)
        tripped = the_event(namespace, "second")
        eventually(lambda: len(self.slack.messages) >= 2)
        self.worker.end()

        expect((tripped["reason"], tripped["type"])).to(equal(("BudgetUsedUp", "Warning")))
        expect(events(namespace, "third")).to(be_empty)
        expect([message["text"] for message in self.slack.messages]).to(
            equal(
                [
                    f"delete: asked to delete pod {namespace}/first",
                    f"delete: has used up its budget in namespace {namespace}"
                    " and holds alerts there",
                ]
            )
        )
        expect(str(self.slack.messages[0])).to(contain("Why", "1 of 1 actions in 10m"))


with description("A worker that may write no Events") as self:
    with before.all:
        self.served = Served(TOPIC, events=False)
        self.served.begin()

    with after.all:
        self.served.end()

    with it("acts once all the same, says so, and counts it"):
        namespace = self.served.namespace
        worker = self.served.start_serving(**IN_A_POD)
        pod = cluster.a_gated_pod("gone", namespace)
        publish(self.served, pod)
        cluster.gone(pod)
        worker.says("no record of an outcome by KubernetesEvents")
        failed = 'playbook_records_failed_total{playbook="delete",recorder="KubernetesEvents"}'

        expect(worker.metric(failed)).to(equal(1))
        expect([line["status"] for line in worker.outcomes]).to(equal(["acted"]))
        expect(events(namespace, "gone")).to(be_empty)


with description("The recorder of Events, on a real cluster") as self:
    with before.all:
        self.namespace = cluster.a_namespace()
        self.events = KubernetesEvents(KubernetesApi(), "taint", ThisPod({}), SystemClock())

    with after.all:
        cluster.delete_namespace(self.namespace)

    with it("counts the same again in one series"):
        target_ref = TargetRef("delete", "Pod", "often", self.namespace, "uid-1")
        outcome = Outcome.failed(NotPermitted("may not"))
        for _ in range(3):
            self.events.record(an_alert(), replace(outcome, target_ref=target_ref))
            time.sleep(0.01)
        found = events(self.namespace, "often")

        expect(found).to(have_len(1))
        expect(found[0]["series"]["count"]).to(equal(3))
        expect(found[0]["type"]).to(equal("Warning"))
        expect(cluster.kubectl("events", "-n", self.namespace)).to(contain("(x3 over"))

    with it("has those of a node in the namespace default, where kubectl describes it"):
        name = cluster.a_fake_node()
        node = cluster.stored("node", name)
        target_ref = TargetRef("taint", "Node", name, "", node["metadata"]["uid"])
        outcome = replace(Outcome.acted(f"node {name}", "tainted", "added"), target_ref=target_ref)
        self.events.record(an_alert(), outcome)
        made = events("default", name)
        shown = cluster.kubectl("describe", "node", name)
        for each in made:
            cluster.kubectl("delete", "events", each["metadata"]["name"], "-n", "default")
        cluster.delete("node", name)

        expect(made).to(have_len(1))
        expect(shown).to(contain("Tainted", "Terminal shell in container: added"))


not_run_unless(CLUSTER, globals())
not_run_unless(on_the_path("nats-server"), globals())
