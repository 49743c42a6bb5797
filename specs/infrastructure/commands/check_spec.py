"""``falco-playbook check`` with real servers: NATS servers on this machine, and, where the node has
the worker's image ``SPEC_WORKER_IMAGE`` (default local/falco-playbooks:dev), a deployed playbook
whose network plugin is tried. On this project's rig that plugin is its test agent.
"""

import json
import os
import signal
import subprocess
import sys
import time

from expects import be_empty, contain, equal, expect, match, start_with
from mamba import after, before, description, it

from playbooks.engines.worker.operator.protocol import INSPECT, PROGRAM
from playbooks.testing import a_document
from specs.support.cluster import real_cluster as cluster
from specs.support.cluster.admission import policies_are_there
from specs.support.cluster.engines import IMAGE, WORKER_IMAGE, controller_at_work
from specs.support.conditions import CLUSTER, Condition, not_run_unless, program
from specs.support.loopback.nats_server import Nats
from specs.support.processes import ROOT, eventually, let_ctrl_c_arrive
from specs.support.programs import deploy_playbook, program_of, succeeded

DOCUMENTED = (ROOT / "docs" / "nats.md").read_text(encoding="utf-8")
PERMISSIONS = DOCUMENTED.partition("$WORKER, permissions: {")[2].partition("\n    } }")[0]
USERS = """authorization { users: [ { user: worker, password: w } ] }"""
NOBODY = """
authorization { users: [
  { user: worker, password: w },
  { user: nobody, password: n, permissions: { publish: { deny: ">" } } } ] }
no_auth_user: nobody
"""


def inspected(url, *words, **settings):
    """What the program in a worker's pod prints, by what it is about, and its last line."""
    environ = {
        "PLAYBOOK": "isolate",
        "FUNCTION_NAME": "falco-isolate",
        "FUNCTION_NAMESPACE": "specs",
        "NATS_URL": url,
        **settings,
    }
    done = program_of(sys.executable, "-m", PROGRAM, INSPECT, *words, **environ)
    _, *lines, last = [json.loads(line) for line in done.out.splitlines()]
    return {line.pop("about"): line for line in lines}, last


def an_alert(**changes):
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000000000Z", time.gmtime())
    return json.dumps(a_document(**{"time": now, "hostname": "node-1", **changes})).encode()


UNRECORDED = """
authorization { users: [ { user: worker, password: w, permissions: {
  publish: { deny: "falco-dead.falco-isolate" } } } ] }
"""


with description("What a worker's pod tells falco-playbook check of NATS") as self:

    def server(self, **options):
        self.nats = Nats(**options).start()
        return self.nats

    with after.each:
        self.nats.remove()

    with it("is that users are asked for, where they are"):
        found, last = inspected(self.server(config=USERS, user="worker:w").url)

        expect(found["nats"]).to(equal({"servers": f"nats://127.0.0.1:{self.nats.port}"}))
        expect(found["strangers"]).to(equal({}))
        expect(last).to(equal({"end": 3}))

    with it("is that strangers are let in, as such or as a user of the server's choice"):
        for options in ({}, {"config": NOBODY, "user": "worker:w"}):
            found, _ = inspected(self.server(**options).url)
            self.nats.remove()

            expect(found["strangers"]["why"]).to(start_with("it accepts anonymous connections"))

    with it("is why there is no connection"):
        self.server(config=USERS, user="worker:wrong")
        expect(inspected(self.nats.url)[0]["nats"]["why"]).to(contain("Authorization Violation"))

        self.nats.stop()
        found, last = inspected(self.nats.url)
        expect(found["nats"]["why"]).to(contain("ConnectionRefused"))
        expect(last).to(equal({"end": 1}))

    with it("is that there is no JetStream, no stream, or one that is of no use"):
        found, _ = inspected(self.server(jetstream=False).url)
        expect(list(found["stream"])).to(equal(["missing"]))
        self.nats.remove()

        found, _ = inspected(self.server().url)
        expect(found["stream"]["why"]).to(equal("no stream keeps falco.>"))

        self.nats.stream("OTHER", "falco.error.>")
        found, _ = inspected(self.nats.url)
        expect(found["stream"]["why"]).to(contain("stream OTHER has falco.error.>"))

    with it("is where its user may not put on record what became of alerts, and stores nothing"):
        self.server(config=UNRECORDED, user="worker:w")
        streams = {"FALCO": "falco.>", "FALCO_DEAD": "falco-dead.>"}
        streams["FALCO_OUTCOMES"] = "falco-outcomes.>"
        for name, subjects in streams.items():
            self.nats.stream(name, subjects)
        found, _ = inspected(self.nats.url)

        expect(found["records"]).to(equal({"refused": ["falco-dead.falco-isolate"]}))
        expect([len(self.nats.messages(name)) for name in streams]).to(equal([0, 0, 0]))

    with it("is what its alerts carry, without a trace left in the stream"):
        self.server().stream("FALCO", "falco.>")
        about = {"k8s.ns.name": "shop", "k8s.pod.name": "web-0"}
        self.nats.publish(
            ("falco.error.x", an_alert(output_fields={**about, "k8s.pod.uid": "u"})),
            ("falco.error.x", an_alert(output_fields=about, rule="Nameless")),
            ("falco.notice.x", an_alert(output_fields=about)),
            ("falco.error.x", b"nonsense"),
        )
        found, last = inspected(self.nats.url, "--topics", "falco.error.*")

        expect(found["alerts"]).to(
            equal(
                {
                    **{"read": 3, "invalid": 1, "about_none": 0, "identified": 1, "cut": False},
                    "unidentified": {"Nameless": 1},
                    "hosts": {"node-1": 2},
                    **{"passed": 2, "refused": {}, "words": {}, "renamed": {}},
                }
            )
        )
        expect(last).to(equal({"end": 5}))
        expect(self.nats.consumers()).to(be_empty)

    with it("takes no right that the documentation does not give a worker's user"):
        admin = "{ user: admin, password: a }"
        worker = f"{{ user: worker, password: w, permissions: {{{PERMISSIONS}}} }}"
        users = f"authorization {{ users: [ {admin}, {worker} ] }}"
        self.server(config=users, user="admin:a").stream("FALCO", "falco.>")
        self.nats.publish(("falco.error.x", an_alert()))
        found, _ = inspected(f"nats://worker:w@127.0.0.1:{self.nats.port}")

        expect(found["alerts"]["read"]).to(equal(1))
        expect(self.nats.consumers()).to(be_empty)

    with it("is what the worker's own settings let pass, at the time at which each came"):
        self.server().stream("FALCO", "falco.>")
        old = an_alert(time="2020-01-01T00:00:00Z", output_fields={})
        self.nats.publish(("falco.error.x", an_alert()), ("falco.error.x", old))
        with_rules = {"RULES": "another"}

        expect(inspected(self.nats.url)[0]["alerts"]["refused"]).to(equal({"stale-alert": 1}))
        found = inspected(self.nats.url, **with_rules)[0]["alerts"]
        expect((found["passed"], found["refused"])).to(equal((0, {"rule-not-listed": 2})))
        expect(found["words"]["rule-not-listed"]).to(contain("none of RULES (another)"))

    with it("is bounded: the newest, of the last hours"):
        self.server().stream("FALCO", "falco.>")
        self.nats.publish(*[("falco.error.x", an_alert()) for _ in range(700)])

        found, _ = inspected(self.nats.url)
        expect((found["alerts"]["read"], found["alerts"]["cut"])).to(equal((700, False)))
        found, _ = inspected(self.nats.url, "--most", "300")
        expect((found["alerts"]["read"], found["alerts"]["cut"])).to(equal((300, True)))
        found, _ = inspected(self.nats.url, "--hours", "0")
        expect(found["alerts"]["read"]).to(equal(0))


def probe_namespaces():
    items = cluster.kubectl_json("get", "namespaces")["items"]
    return {n["metadata"]["name"] for n in items if n["metadata"]["name"].startswith("falco-check")}


with description("falco-playbook check, of a playbook that was deployed,") as self:
    with before.all:
        policies_are_there()
        address = cluster.node_address()
        self.server = Nats(address=address, config=USERS, user="worker:w").start()
        self.namespace = cluster.a_namespace()
        engine = ("-E", "kubernetes", "-i", IMAGE, "-e", f"NATS_URL={self.server.url}")
        place = ("-n", self.namespace, "-p", "isolate")
        succeeded(deploy_playbook(*place, "-t", "falco.error.*", *engine))
        (worker,) = cluster.running_pods(self.namespace)
        node = worker["spec"]["nodeName"]
        # About a pod that is gone.
        about = {"k8s.ns.name": self.namespace, "k8s.pod.name": "x", "k8s.pod.uid": "u"}
        self.server.publish(("falco.error.x", an_alert(hostname=node, output_fields=about)))

    with after.all:
        deploy_playbook("-n", self.namespace, "-p", "isolate", "-x")
        cluster.delete_namespace(self.namespace)
        self.server.remove()

    def command(self, *words, playbook="isolate"):
        place = ("-p", playbook, "-n", self.namespace)
        return (sys.executable, "-m", "playbooks.commands", "check", *place, *words)

    def checked(self, *words, **options):
        """The exit code, and each check's status and words."""
        done = program_of(*self.command("-o", "json", *words, **options))
        found = json.loads(done.out)["checks"]
        return done.code, {f["check"]: (f["status"], f["says"]) for f in found}

    def recorded(self):
        """What became of the alerts, in the stream."""
        place = ("history", "-p", "isolate", "-n", self.namespace, "--skipped", "-o", "json")
        return json.loads(program_of(sys.executable, "-m", "playbooks.commands", *place).out)

    with it("finds everything in order, also that this cluster enforces policies"):
        eventually(self.recorded, 60)
        there = probe_namespaces()
        code, found = self.checked()
        wrong = {check: said for check, said in found.items() if said[0] != "ok"}
        # The pod of the only alert is gone.
        skipped = ("warning", "all 1 alerts of the last 24 hours were skipped: pod-gone (1)")
        expect(wrong.pop("outcomes")).to(equal(skipped))
        expect(wrong).to(equal({}))
        expect(code).to(equal(0))
        for kind in ("bare", "replica"):
            for which in ("new", "open"):
                expect(found[f"policy, {kind}, {which}"][1]).to(match(r".* after \d+\.\ds$"))
        eventually(lambda: probe_namespaces() <= there, 60)

    with it("sees which verbs are missing"):
        role = cluster.stored("clusterrole", f"falco-isolate.{self.namespace}")
        rules = [rule for rule in role["rules"] if rule["resources"] != ["pods"]]
        patch = json.dumps({"rules": rules})
        name = role["metadata"]["name"]
        cluster.kubectl("patch", "clusterrole", name, "--type=merge", "-p", patch)
        try:
            code, found = self.checked("--image", "none:1")
        finally:
            whole = json.dumps({"rules": role["rules"]})
            cluster.kubectl("patch", "clusterrole", name, "--type=merge", "-p", whole)

        expect(code).to(equal(1))
        expect(found["rights"]).to(
            equal(("failed", "falco-isolate may not get pods; list pods; patch pods; watch pods"))
        )
        # Without the right to patch pods, the role rejects what the policy would.
        expect(found["admission policy"][0]).to(equal("ok"))
        expect(found["network policy"][0]).to(equal("unknown"))
        expect(found["network policy"][1]).to(contain("with image none:1"))

    with it("removes its pods on Ctrl-C"):
        there = probe_namespaces()
        process = subprocess.Popen(
            self.command(),
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=let_ctrl_c_arrive,
        )
        eventually(lambda: bool(probe_namespaces() - there), 60)
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=60)

        expect(process.returncode).to(equal(130))
        expect(complaint).to(contain("interrupted by SIGINT"))
        eventually(lambda: probe_namespaces() <= there, 60)

    with it("is about another playbook where nothing of it is deployed"):
        code, found = self.checked(playbook="delete")

        expect((code, list(found))).to(equal((1, ["function", "admission policy"])))


# Real servers; the last wants a cluster and the worker's image as well.
not_run_unless(CLUSTER, globals())
not_run_unless(program("nats-server"), globals())
if CLUSTER.holds:
    ALONE = Condition(not controller_at_work(), "a controller of Kubeless is at work")
    for condition in (WORKER_IMAGE, ALONE):
        not_run_unless(condition, globals(), title="was deployed")
