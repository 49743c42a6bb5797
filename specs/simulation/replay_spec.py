import json
from pathlib import Path
from unittest.mock import patch

from expects import be_empty, contain, equal, expect, have_len
from mamba import before, description, it

from playbooks.core import catalogue
from playbooks.core.alert import Alert
from playbooks.core.cluster.network_policy import isolating
from playbooks.core.errors import InvalidSetting
from playbooks.core.outcome import Status
from playbooks.simulation import replay as replaying
from playbooks.simulation.replay import PastCluster, replay
from specs.simulation.mothers import DEPLOYED, a_body, bodies
from specs.support.conditions import CEL, not_run_unless

ALERTS = Path("specs/support/alerts/falco_alerts.jsonl")


def replayed(name, given, topics=("falco.>",), replicas=None, progress=lambda *_: None, **environ):
    playbook = catalogue.load(name)
    return replay(playbook, environ, topics, given, replicas=replicas, progress=progress)


def reasons(found):
    return [one.reason for one in found.answered]


with description("A replay of past alerts") as self:
    with it("takes for granted that each alert's pod existed as it is named"):
        (one,) = replayed("delete", [a_body(pod="db-0", uid="u-1")]).answered

        expect((one.status, one.reason)).to(equal((Status.ACTED, "deletion-accepted")))
        expect((one.namespace, one.workload, one.uid)).to(equal(("shop", "StatefulSet db", "u-1")))

    with it("runs every playbook that acts"):
        for name, reason in (("isolate", "isolated"), ("taint", "tainted")):
            expect(reasons(replayed(name, [a_body()]))).to(equal([reason]))

    with it("runs the steps of a chain"):
        found = replayed("chain", [a_body(uid="u-1")], STEPS="label,delete")

        expect([(one.reason, one.uid) for one in found.answered]).to(
            equal([("deletion-accepted", "u-1")])
        )

    with it("keeps to what proves a pod: a name alone proves nothing"):
        expect(reasons(replayed("delete", [a_body(container_id=None)]))).to(equal(["unproven"]))

    with it("has the alert's own time for a clock"):
        expect(reasons(replayed("delete", [a_body(time="2019-05-01T00:00:00Z")]))).to(
            equal(["deletion-accepted"])
        )

    with it("scales a workload once, whichever of its pods the alerts are about"):
        pods = ("bcdfg", "fghjk", "klmnp")
        given = [
            a_body(pod=f"{DEPLOYED}{pod}", uid=f"u-{pod}", time=f"2026-01-02T03:00:0{n}Z")
            for n, pod in enumerate(pods)
        ]
        found = replayed("scale", given, replicas=3, MAX_PER_OWNER="100%")

        expect(reasons(found)).to(equal(["scaled", "already-scaled", "already-scaled"]))

    with it("deletes a pod once"):
        twice = [a_body(uid="u-1"), a_body(uid="u-1", time="2026-01-02T03:00:01Z")]

        expect(reasons(replayed("delete", twice))).to(equal(["deletion-accepted", "pod-gone"]))

    with it("goes by the alerts' times, whatever their order in the file"):
        found = replayed("delete", reversed(bodies(3)))

        expect([one.uid for one in found.answered]).to(equal(["u-0", "u-1", "u-2"]))

    with it("holds what is over a cap, and knows that it was wanted"):
        found = replayed("delete", bodies(12))
        over = found.answered[10]

        expect(reasons(found)[9:]).to(equal(["deletion-accepted", *["budget-used-up"] * 2]))
        expect((over.wanted, over.status)).to(equal((True, Status.SKIPPED)))

    with it("asks the guards: a protected namespace stays untouched, and was not wanted"):
        (one,) = replayed("delete", [a_body(namespace="kube-system")]).answered

        expect((one.reason, one.wanted)).to(equal(("protected-namespace", False)))

    with it("answers what a topic matches, and counts the rest"):
        found = replayed("delete", [*bodies(2), a_body(priority="Error")], ["falco.error.*"])

        expect(found.answered).to(have_len(1))
        expect(found.elsewhere).to(equal(2))

    with it("counts what is no alert"):
        expect(replayed("delete", [b"{}", b"no JSON", a_body()]).unreadable).to(equal(2))

    with it("applies MAX_PER_OWNER only where it is given how many pods a workload has"):
        pods = [a_body(pod=DEPLOYED + end, uid=end) for end in ("x2x4k", "b7c9d")]

        expect(reasons(replayed("delete", pods))).not_to(contain("owner-limit"))
        expect(reasons(replayed("delete", pods, replicas=2))).to(
            equal(["deletion-accepted", "owner-limit"])
        )
        expect(reasons(replayed("delete", pods, replicas=4))).not_to(contain("owner-limit"))

    with it("says how far it is"):
        reported = []
        with patch.object(replaying, "STEP", 5):
            replayed("delete", bodies(6), progress=lambda done, of: reported.append((done, of)))

        expect(reported).to(equal([(5, 6), (6, 6)]))

    with it("refuses settings that are none before it begins"):
        try:
            replayed("delete", [a_body()], MAX_ACTIONS="many")
        except InvalidSetting as error:
            expect(str(error)).to(contain("MAX_ACTIONS is 'many'"))
        else:
            raise AssertionError("it was accepted")

    with it("is of nothing where there are no alerts"):
        expect(replayed("delete", []).answered).to(be_empty)

    with it("acts on what the real recorded alerts prove"):
        lines = ALERTS.read_bytes().splitlines()
        found = replayed("delete", lines)

        expect(sum(one.status is Status.ACTED for one in found.answered)).to(equal(9))
        expect(len(found.answered) + found.unreadable).to(equal(len(lines)))
        expect(json.loads(lines[0])["rule"]).to(equal("Terminal shell in container"))


with description("The cluster of past alerts") as self:
    with before.each:
        self.past = PastCluster()

    def comes(self, respond, **given):
        """What ``respond`` makes of the cluster and the alert's pod."""
        alert = Alert.parse(a_body(**given))
        cluster, claim = self.past.cluster, alert.claim
        return self.past.answer(
            alert, lambda: respond(cluster, cluster.pod(claim.pod, namespace=claim.namespace))
        )

    def isolate(self, **given):
        self.comes(
            lambda cluster, pod: cluster.create_network_policy(isolating(pod, ("Ingress",))),
            **given,
        )

    def policies(self, **given):
        return self.comes(lambda cluster, _: cluster.network_policies("shop"), **given)

    with it("has the policy that isolates the alert's pod, also where that gives no uid"):
        for given in ({"pod": "web-0"}, {"pod": "web-1", "uid": "u-1"}):
            self.isolate(**given)
            uid = self.comes(lambda _, pod: pod.uid, **given)
            (found,) = self.policies(**given)

            expect(found["metadata"]["name"]).to(equal(f"falco-isolate-{uid}"))

    with it("has no other pod of its namespace, nor what belongs to it: there may be thousands"):
        self.isolate(pod="web-0")

        expect(self.policies(pod="web-1")).to(be_empty)
        expect(self.comes(lambda cluster, _: len(cluster.objects("Pod")), pod="web-1")).to(equal(1))

    with it("has a pod with another uid, or another container, for another one"):
        for first, second in (({"uid": "u-1"}, {"uid": "u-2"}), ({}, {"container_id": "f" * 12})):
            self.comes(
                lambda cluster, pod: cluster.delete_pod(pod, grace_period_seconds=0), **first
            )

            expect(self.comes(lambda _, pod: pod.name, **second)).to(equal("web-0"))

    with it("keeps the nodes, and what was written on them"):
        self.comes(lambda cluster, pod: cluster.patch_node(cluster.node(pod.node), spec={"a": 1}))
        node = self.comes(lambda cluster, pod: cluster.node(pod.node), pod="web-1")

        expect(node.manifest["spec"]["a"]).to(equal(1))

with description("A replay with a condition") as self:
    with it("knows which alerts it leaves out"):
        given = [a_body(uid="u-1"), a_body(uid="u-2", rule="Another rule")]
        found = replayed("delete", given, WHEN='alert.rule != "Another rule"')

        expect(reasons(found)).to(equal(["deletion-accepted", "when-false"]))


not_run_unless(CEL, globals(), title="with a condition")
