"""What a worker sees some time after an action, on a real cluster."""

import json

from expects import contain, equal, expect
from mamba import after, before, description, it

from specs.support.cluster import real_cluster as cluster
from specs.support.conditions import CLUSTER, not_run_unless
from specs.support.conditions import program as on_the_path
from specs.support.processes import eventually
from specs.support.worker.worker_on_cluster import IN_A_POD, Served

TOPIC = "falco.error.*"


def a_gated_pod(namespace, name, **metadata):
    manifest = cluster.a_pod_manifest(name, namespace, gated=True)
    manifest["metadata"].update(metadata)
    (made,) = cluster.create(manifest)
    return made


with description("Looking at what became of an action, on a cluster") as self:
    with before.all:
        self.served = Served(TOPIC)
        self.served.begin()
        settings = {"VERIFY_AFTER": "1s", "ESCALATE_AFTER": "2", "MAX_PER_OWNER": "off"}
        self.worker = self.served.start_serving(**settings, **IN_A_POD)

    with after.all:
        namespace = self.served.namespace
        patch = json.dumps({"metadata": {"finalizers": None}})
        cluster.kubectl("patch", "pod", "stays", "-n", namespace, "--type=merge", "-p", patch)
        self.served.end()

    def looked(self, pod):
        """What was found of a pod, from the stream of outcomes."""
        alert = cluster.alert_about(pod, priority="Error", rule="Shell in pod")
        self.served.nats.publish(("falco.error.x", json.dumps(alert).encode()))

        def found():
            bodies = [json.loads(m["body"]) for m in self.served.nats.messages("FALCO_OUTCOMES")]
            mine = [b for b in bodies if b["details"].get("uid") == pod["metadata"]["uid"]]
            assert [b["status"] for b in mine] == ["acted", "looked"], mine
            return mine[1]

        return eventually(found)

    def outcome_of(self, uid):
        found = [line for line in self.worker.outcomes if line["details"].get("uid") == uid]
        assert found
        return found[0]

    with it("sees that a pod is gone"):
        pod = a_gated_pod(self.served.namespace, "goes")

        found = self.looked(pod)

        expect(found["reason"]).to(equal("verified"))
        expect(found["message"]).to(equal(f"pod {self.served.namespace}/goes is gone"))
        expect(found["details"]["follows"]).to(equal("deletion-accepted"))

    with it("sees that a pod stays, and warns of it"):
        namespace = self.served.namespace
        pod = a_gated_pod(namespace, "stays", finalizers=["acme.example/keep"])

        found = self.looked(pod)

        expect(found["reason"]).to(equal("not-verified"))
        expect(found["message"]).to(contain(f"pod {namespace}/stays is still there: it was to end"))

        def warned():
            events = cluster.kubectl_json("get", "events.events.k8s.io", "-n", namespace)["items"]
            found = [e["type"] for e in events if e["reason"] == "NotVerified"]
            assert found
            return found

        expect(eventually(warned)).to(equal(["Warning"]))

    with it("says that a replacement came for the same, and holds it for a person"):
        namespace = self.served.namespace
        cluster.create(cluster.a_controller("ReplicaSet", "again", namespace, gated=True))

        def another(seen):
            found = cluster.kubectl_json("get", "pods", "-n", namespace, "-l", "app=again")["items"]
            (pod,) = [p for p in found if "deletionTimestamp" not in p["metadata"]]
            assert pod["metadata"]["uid"] not in seen
            return pod

        found, seen = [], []
        for _ in range(3):
            pod = eventually(lambda: another(seen))
            seen.append(pod["metadata"]["uid"])
            alert = cluster.alert_about(pod, priority="Error", rule="Shell in pod")
            self.served.nats.publish(("falco.error.x", json.dumps(alert).encode()))
            found.append(eventually(lambda uid=seen[-1]: self.outcome_of(uid)))

        expect([each["details"].get("again") for each in found]).to(equal([None, 1, 2]))
        expect([each["reason"] for each in found]).to(
            equal(["deletion-accepted", "deletion-accepted", "recurring"])
        )
        expect(found[1]["message"]).to(contain("of ReplicaSet again: its replacement has the same"))


not_run_unless(CLUSTER, globals())
not_run_unless(on_the_path("nats-server"), globals())
