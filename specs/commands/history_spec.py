import json
import time
from dataclasses import replace

from expects import be_empty, be_none, contain, equal, expect
from mamba import before, description, it

from playbooks.core.errors import NotPermitted, StillRunning
from playbooks.core.instant import NANOSECONDS, Instant
from playbooks.core.notifications import kinds
from playbooks.core.notifications.event import event
from playbooks.core.outcome import Outcome, Status, TargetRef
from playbooks.engines.outcome_log import line
from playbooks.testing import a_document, a_pod
from specs.commands.fake_cluster import FakeCluster, a_cluster, answer, run
from specs.deployment.mothers import a_request
from specs.deployment.mothers import objects as kubeless_objects

HISTORY = ("history", "-p", "delete")
NODE = TargetRef("undo", "Node", "node-1", "", "uid-2")
DONE = Outcome.acted("node node-1", "tainted", "added the taint")
WHY = ("rule 'x' is one of RULES", "1 of 10 actions in 10m in shop", "added the taint")


def said(outcome, second=1, **changes):
    made = line("taint", a_document(), outcome)
    return {**made, "recorded": f"2026-11-21T10:00:0{second}.250000000Z", **changes}


def an_event(outcome, *, seconds_ago=60, name="falco-delete", **changes):
    now = Instant(time.time_ns() - seconds_ago * NANOSECONDS)
    target_ref = TargetRef("delete", "Pod", "web-0", "shop", "uid-1")
    given = {"function": name, "home": "default", "instance": "x", "rule": "Shell"}
    outcome = Outcome(**{**vars(outcome), "target_ref": target_ref})
    return {**event(outcome, now, playbook="delete", **given), **changes}


def nested(depth):
    return [nested(depth - 1)] if depth else []


with description("falco-playbook history") as self:
    with before.each:
        self.cluster = a_cluster()

    def saying(self, *lines, **how):
        self.cluster.says = answer(*lines, **how)
        return self.cluster

    with it("says of an action whether it was seen to have worked, and what was seen"):
        accepted = Outcome.acted("pod shop/web-0", "deletion-accepted", "accepted")
        for seen in ("verified", "not-verified"):
            holds = {"follows": "deletion-accepted", "holds": seen == "verified"}
            follow_up = Outcome(Status.LOOKED, seen, "looked", "pod shop/web-0", holds)
            cluster = self.saying(said(accepted), said(follow_up, 2))
            first, second = json.loads(run(*HISTORY, "-o", "json", cluster=cluster).out)

            worked = seen == "verified"
            expect((first["verified"], first["done"])).to(equal((worked, worked or None)))
            expect(second["what"]).to(equal(seen.replace("-", " ")))
            expect(second["verified"]).to(be_none)

    with it("tells what waits for the window of a limit from a budget that is used up"):
        refused = ("budget-used-up", "10 of 10", "pod shop/web-0")
        for details, what in (({"waits_for": "*"}, "waits"), ({"tripped": "shop"}, "tripped")):
            outcome = Outcome.skipped(*refused, held=True, first=True, **details)
            cluster = self.saying(said(outcome))

            (found,) = json.loads(run(*HISTORY, "-o", "json", cluster=cluster).out)
            expect(found["what"]).to(equal(what))

    with it("asks a worker, inside its pod, for the last 24 hours"):
        run(*HISTORY, cluster=self.cluster)
        uid = self.cluster.the("Function", "falco-delete")["metadata"]["uid"]
        module = "playbooks.engines.worker.operator"
        asked = ("history", "--uid", uid, "--since", "86400")

        expect(self.cluster.executed).to(
            equal([("falco-delete-1", "python3", "-m", module, *asked)])
        )

    with it("asks for as much as is wanted"):
        run(*HISTORY, "--since", "7d", cluster=self.cluster)

        expect(self.cluster.executed[0][-1]).to(equal("604800"))

    with it("refuses a time that is none"):
        expect(run(*HISTORY, "--since", "yesterday").err).to(
            contain("for '--since': 'yesterday', expected a time")
        )

    with it("lists what, when, on what, why and by which rule, newest first"):
        skipped = Outcome.skipped("finished", "it has succeeded")
        done = Outcome(**{**vars(DONE), "why": WHY})
        told = self.saying(said(done), said(skipped, 2), said(DONE, 3))
        shown = run(*HISTORY, "--why", cluster=told)

        expect(shown.out.splitlines()).to(
            equal(
                [
                    "TIME                  WHAT   TARGET       REASON   RULE"
                    "                         UNDONE",
                    "2026-11-21T10:00:03Z  acted  node node-1  tainted  Terminal shell in container"
                    "  -",
                    "    added the taint",
                    "2026-11-21T10:00:01Z  acted  node node-1  tainted  Terminal shell in container"
                    "  -",
                    *(f"    {check}" for check in WHY),
                ]
            )
        )
        lines = run(*HISTORY, cluster=self.cluster).out.splitlines()
        expect(lines).to(equal([line for line in shown.out.splitlines() if line[0] != " "]))

    with it("lists what was skipped, too, where that is wanted"):
        skipped = Outcome.skipped("finished", "it has succeeded")
        shown = run(*HISTORY, "--skipped", cluster=self.saying(said(skipped)))

        expect(shown.out).to(contain("skipped", "finished"))

    with it("says by whom and when something was taken back, and of what it was"):
        undone = line("taint", None, kinds.undone(NODE, "removed the taint", "ann"))
        undone["recorded"] = "2026-11-21T10:00:02.000000000Z"
        told = self.saying(said(DONE), undone, said(DONE, 3))
        shown = json.loads(run(*HISTORY, "-o", "json", cluster=told).out)

        expect([entry["what"] for entry in shown]).to(equal(["acted", "undone", "acted"]))
        expect(shown[0]["undone"]).to(
            equal({"time": "2026-11-21T10:00:02.000000000Z", "by": "ann"})
        )
        expect(shown[2]["undone"]).to(be_none)
        expect(shown[0]["alert"]["rule"]).to(equal("Terminal shell in container"))

    with it("says of the first who took it back, where two did"):
        lines = [said(DONE)]
        for second, who in ((2, "ann"), (3, "bob")):
            undone = line("taint", None, kinds.undone(NODE, "removed the taint", who))
            lines.append({**undone, "recorded": f"2026-11-21T10:00:0{second}.0Z"})
        shown = json.loads(run(*HISTORY, "-o", "json", cluster=self.saying(*lines)).out)

        expect(shown[0]["undone"]["by"]).to(equal("ann"))

    with it("counts no deletion that was accepted as done before the pod was seen to be gone"):
        accepted = Outcome.acted("pod shop/web-0", "deletion-accepted", "accepted", uid="uid-1")
        gone = Outcome.skipped("pod-gone", "pod shop/web-0 is gone", "pod shop/web-0")
        runs_on = replace(
            Outcome.failed(StillRunning("it runs on")), target="pod shop/web-0", details={}
        )
        pod = a_pod(uid="uid-1").manifest
        for later, there, words, done in (
            ((), True, "accepted ", None),
            ((), False, "accepted, gone ", True),
            ((said(gone, 2),), True, "accepted, gone ", True),
            ((said(runs_on, 2),), True, "accepted, still running ", False),
        ):
            self.cluster = a_cluster()
            if there:
                self.cluster.create([{"kind": "Pod", "apiVersion": "v1", **pod}])
                uid = self.cluster.the("Pod", "web-0")["metadata"]["uid"]
                accepted = replace(accepted, details={"uid": uid})
            told = self.saying(said(accepted), *later)
            shown = json.loads(run(*HISTORY, "-o", "json", cluster=told).out)

            expect((words, shown[0]["done"])).to(equal((words, done)))
            expect(run(*HISTORY, cluster=told).out).to(contain(words))

    with it("knows of a deletion no more than its record where pods may not be read"):
        accepted = Outcome.acted("pod shop/web-0", "deletion-accepted", "accepted", uid="uid-1")
        told = self.saying(said(accepted))
        get = told.get

        def forbidden(manifests):
            if any(each["kind"] == "Pod" for each in manifests):
                raise NotPermitted("no")
            return get(manifests)

        told.get = forbidden

        expect(run(*HISTORY, cluster=told).out).to(contain("accepted "))
        expect(run(*HISTORY, cluster=told).out).not_to(contain("gone"))

    with it("says would have, of dry runs"):
        would = Outcome.would_act("pod shop/web-0", "delete", "would delete")

        expect(run(*HISTORY, cluster=self.saying(said(would))).out).to(contain("would have acted"))

    with it("lets no alert steer the terminal"):
        evil = Outcome.acted("pod shop/\x1b[2J", "done", "\x1b[31mred")

        expect(run(*HISTORY, cluster=self.saying(said(evil))).out).not_to(contain("\x1b"))

    with it("leaves out what whoever may publish on the subject wrote, and is no outcome"):
        odd = ({}, {"target": ["x"]}, {"message": None}, {"why": 1}, {"why": [1]}, {"alert": "x"})
        odd += ({"alert": {"rule": [1]}}, {"details": {"uid": nested(900)}}, {"recorded": 1})
        lines = [{**said(DONE), **each} if each else {"recorded": "x"} for each in odd]
        found = run(*HISTORY, "-o", "json", cluster=self.saying(*lines, said(DONE)))

        expect((found.code, len(json.loads(found.out)))).to(equal((0, 1)))

    with it("reads the Events where there is no stream, and says how long these are kept"):
        self.saying({"error": "this NATS keeps nothing: no JetStream"}, end=False, code=1)
        deleted = Outcome.acted("pod shop/web-0", "deletion-accepted", "deletion accepted")
        series = {"count": 3, "lastObservedTime": str(Instant(time.time_ns()))}
        self.cluster.create([an_event(deleted, series=series), an_event(deleted, name="falco-x")])
        shown = run(*HISTORY, "-A", "--why", cluster=self.cluster)

        expect(shown.err).to(contain("this NATS keeps nothing", "which are kept for an hour"))
        alone = run(*HISTORY, cluster=self.cluster)
        expect(alone.out).to(be_empty)
        expect(alone.err).to(
            contain("no Event of default/falco-delete in namespace default", "-A looks in all")
        )
        expect(shown.out.splitlines()[1]).to(
            contain("accepted, gone (3 times)", "pod shop/web-0", "deletion-accepted", "Shell")
        )
        expect(shown.out.splitlines()[2:]).to(equal(["    Shell: deletion accepted"]))

    with it("reads the Events where it may not be seen whether there is a worker, and says so"):

        class WithoutDeployments(FakeCluster):
            def get(self, manifests):
                if "Deployment" in [each["kind"] for each in manifests]:
                    raise NotPermitted("you may not get deployments")
                return super().get(manifests)

        found = run(*HISTORY, cluster=a_cluster(kind=WithoutDeployments))

        expect(found.code).to(equal(0))
        expect(found.err).to(contain("cannot be asked: you may not get deployments: this is from"))

    with it("reads the Events of the time that is wanted only"):
        self.saying({"error": "no stream"}, end=False, code=1)
        self.cluster.create([an_event(DONE, seconds_ago=7200)])

        expect(run(*HISTORY, "-A", "--since", "1h", cluster=self.cluster).out).to(be_empty)

    with it("reads the Events of what Kubeless serves"):
        made = kubeless_objects(a_request("delete"))
        cluster = FakeCluster(*made.in_order, an_event(DONE))
        shown = run(*HISTORY, "-A", cluster=cluster)

        expect(shown.err).to(contain("has no worker"))
        expect(shown.out).to(contain("acted"))

    with it("fails where there is no such function"):
        expect(run("history", "-p", "taint", cluster=self.cluster).code).to(equal(1))
