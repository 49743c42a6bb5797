"""``falco-playbook`` with real servers: NATS and workers on this machine, and, where the node has
the worker's image ``SPEC_WORKER_IMAGE`` (default local/falco-playbooks:dev) and no controller of
Kubeless is at work, the whole way through a real API server.
"""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from expects import be_empty, contain, equal, expect, have_len, raise_error, start_with
from mamba import after, before, description, it

from playbooks.core import VERSION
from playbooks.core.cluster.objects import Executed
from playbooks.core.errors import NotFound, Refused
from playbooks.deployment.removal.client import who
from playbooks.engines.worker.operator.protocol import PROGRAM
from playbooks.infrastructure.kubernetes.objects import of_context
from playbooks.testing import a_document
from specs.commands.fake_cluster import FakeCluster, a_cluster, run
from specs.engines.worker.rig import RELEASE_KEY, Rig, a_trigger, an_alert, moment
from specs.support.cluster import real_cluster as cluster
from specs.support.cluster.engines import IMAGE, WORKER_IMAGE, controller_at_work
from specs.support.conditions import CLUSTER, Condition, not_run_unless, program
from specs.support.loopback.nats_server import Nats
from specs.support.processes import eventually
from specs.support.programs import deploy_playbook, program_of, succeeded

DEAD = ("dead", "-N", "fake", "-n", "specs")
FUNCTION, NAMESPACE = "falco-fake", "specs"


class PodsHere(FakeCluster):
    """Runs what is to run in a pod on this machine, with the environment of a worker."""

    url = log = ""

    def execute(self, namespace, pod, container, command, **how):
        environ = {
            "PLAYBOOK": "fake",
            "FUNCTION_NAME": FUNCTION,
            "FUNCTION_NAMESPACE": NAMESPACE,
            "NATS_URL": self.url,
            "RELEASE_KEY": RELEASE_KEY,
        }
        log = ("--log", self.log) if "drop" in command else ()
        done = program_of(sys.executable, *command[1:], *log, **environ)
        return Executed(done.code, done.out, done.err)


def start(self, *topics, config="", user="", **settings):
    """A NATS server and a worker that gives up at its first failure."""
    self.nats = Nats(config=config, user=user).start()
    self.rig = Rig(self.nats.url, MAX_DELIVERIES="1", **settings)
    self.rest = [self.rig, self.nats]
    self.cluster = a_cluster("-N", "fake", namespace=NAMESPACE, kind=PodsHere)
    self.cluster.url = self.nats.url
    self.cluster.log = str(self.rig.directory / "log-of-the-worker")
    uid = self.cluster.the("Function", FUNCTION)["metadata"]["uid"]
    self.rig.function["metadata"]["uid"] = uid
    self.rig.serve("falco.error.*")
    return self.rig.start().ready().says("subscribed to falco.error.*")


def remove(self):
    for thing in self.rest:
        thing.remove()


def listed(self):
    said = run(*DEAD, "-o", "json", cluster=self.cluster)
    assert said.code == 0, said.err
    return json.loads(said.out)


def given_up(self, count):
    """The dead letters, once there are so many."""
    eventually(lambda: len(self.nats.messages("FALCO_DEAD")) == count)
    return listed(self)


with description("falco-playbook dead, with a real worker on a real NATS,") as self:
    with before.each:
        self.worker = start(self)

    with after.each:
        remove(self)

    def redeliver(self, *ids):
        return run(
            *DEAD, "--redeliver", *(map(str, ids) if ids else ["--all"]), cluster=self.cluster
        )

    with it("lists what the worker gave up"):
        self.nats.alert("a", rule="forbidden")
        self.nats.publish(("falco.error.x", b"nonsense"))
        first, second = sorted(given_up(self, 2), key=lambda letter: letter["reason"])

        expect((first["reason"], first["rule"], first["body"])).to(
            equal(("invalid-alert", None, "nonsense"))
        )
        expect((second["reason"], second["rule"])).to(equal(("not-permitted", "forbidden")))
        expect((second["deliveries"], second["subject"])).to(equal((1, "falco.error.x")))
        expect(second["origin"]).to(contain("FALCO:"))

    with it("puts an alert back: the worker takes it again, and it is a dead letter no more"):
        self.nats.alert("a", rule="once")
        given_up(self, 1)
        said = self.redeliver()

        expect(said.code).to(equal(0))
        expect(said.out).to(contain("redelivered  1 as FALCO_INBOX:1"))
        expect(self.rig.acted("a")).to(equal(["a"]))
        expect(listed(self)).to(be_empty)

    with it("puts back those that are named, and leaves the others"):
        for name in ("a", "b", "c"):
            self.nats.alert(name, rule="once")
        numbers = {json.loads(n["body"])["output"]: n["id"] for n in given_up(self, 3)}
        self.redeliver(numbers["b"])

        expect(self.rig.acted("b")).to(equal(["b"]))
        expect({letter["id"] for letter in listed(self)}).to(equal({numbers["a"], numbers["c"]}))

    with it("gives what dies again another id, and does not run in circles"):
        self.nats.alert("a", rule="forbidden")
        given_up(self, 1)
        said = self.redeliver()
        eventually(lambda: [m["id"] for m in listed(self)] == [2])

        expect(said.out.splitlines()).to(have_len(1))

    with it("puts an alert back while no worker listens: the next one takes it"):
        self.nats.alert("a", rule="once")
        given_up(self, 1)
        self.worker.kill()
        self.redeliver()
        self.rig.start().ready()

        expect(self.rig.acted("a")).to(equal(["a"]))

    with it("puts each back once where two people do it at the same time"):
        for number in range(20):
            self.nats.alert(f"n{number}", rule="once")
        given_up(self, 20)
        uid = self.cluster.the("Function", FUNCTION)["metadata"]["uid"]
        words = ("python3", "-m", PROGRAM, "redeliver", "--uid", uid)
        with ThreadPoolExecutor(2) as pool:
            both = [pool.submit(self.cluster.execute, "", "", "", words) for _ in range(2)]
            codes = [one.result().code for one in both]
        names = [f"n{number}" for number in range(20)]

        expect(codes).to(equal([0, 0]))
        expect(sorted(self.rig.acted(*names))).to(equal(sorted(names)))
        expect(self.nats.messages("FALCO_INBOX")).to(have_len(20))
        expect(listed(self)).to(be_empty)

    with it("keeps an alert that was cut, and puts back one that just fits"):
        largest = 1024 * 1024
        padding = b" " * (largest - 20_000)
        self.nats.publish(("falco.error.x", b"x" * (largest - 100)))
        self.nats.publish(("falco.error.x", an_alert("a", "once") + padding))
        letters = given_up(self, 2)
        cut = next(letter["id"] for letter in letters if letter["cut"])
        said = self.redeliver()

        expect(said.code).to(equal(1))
        expect(said.out).to(contain(f"kept         {cut}: its ", "were cut"))
        expect(self.rig.acted("a")).to(equal(["a"]))

    with it("drops those that are named, and has on record who did"):
        for name in ("a", "b"):
            self.nats.alert(name, rule="forbidden")
        numbers = {json.loads(n["body"])["output"]: n["id"] for n in given_up(self, 2)}
        said = run(*DEAD, "--drop", str(numbers["a"]), cluster=self.cluster)
        (line,) = map(json.loads, Path(self.cluster.log).read_text().splitlines())

        expect(said.code).to(equal(0))
        expect(said.out).to(equal(f"dropped      {numbers['a']}: it was not-permitted\n"))
        expect([letter["id"] for letter in listed(self)]).to(equal([numbers["b"]]))
        expect(line["message"]).to(equal(f"dead letter {numbers['a']} is dropped"))
        expect(line["by"]).to(equal(who(self.cluster)))
        expect(json.loads(line["body"])["output"]).to(equal("a"))

    with it("drops nothing that cannot be put on record"):
        self.nats.alert("a", rule="forbidden")
        given_up(self, 1)
        self.cluster.log = "/nowhere/log"
        said = run(*DEAD, "--drop", "--all", cluster=self.cluster)

        expect(said.code).to(equal(1))
        expect(said.err).to(contain("1 is not dropped, because it cannot be logged"))
        expect(listed(self)).to(have_len(1))

    with it("puts back nothing where an id is none"):
        self.nats.alert("a", rule="forbidden")
        given_up(self, 1)
        said = self.redeliver(1, 7)

        expect((said.code, said.out)).to(equal((1, "")))
        expect(said.err).to(contain("7: no dead letter of specs/falco-fake"))
        expect(listed(self)).to(have_len(1))

    with it("shows letters of an earlier Function of that name, and puts them back when named"):
        self.nats.alert("a", rule="once")
        given_up(self, 1)
        self.worker.end()
        for manifest in (self.cluster.the("Function", FUNCTION), self.rig.function):
            manifest["metadata"]["uid"] = "another-uid"
        # Times of objects have no fractions: it must not be of the alert's own second.
        self.rig.serve(a_trigger("falco.error.*", created=moment(-2)))
        self.rig.start().ready()

        expect([letter["own"] for letter in listed(self)]).to(equal([False]))
        expect(self.redeliver().out).to(contain("kept         1: of an earlier Function"))
        expect(self.redeliver(1).out).to(contain("redelivered  1 as FALCO_INBOX"))
        expect(self.rig.acted("a")).to(equal(["a"]))

    with it("says so where NATS is away"):
        self.nats.stop()
        said = run(*DEAD, cluster=self.cluster)

        expect((said.code, said.out)).to(equal((1, "")))
        expect(said.err).to(contain(f"no connection to NATS ({self.nats.url}) within 15 s"))


with description("falco-playbook status, with a real worker on a real NATS,") as self:
    with before.each:
        start(self)

    with after.each:
        remove(self)

    def status(self):
        said = run("status", "-N", "fake", "-n", "specs", "-o", "json", cluster=self.cluster)
        (found,) = json.loads(said.out)
        return found

    with it("shows the version that runs, NATS, its stream, dead letters and the last action"):
        self.nats.alert("a", rule="forbidden")
        self.nats.alert("b")
        given_up(self, 1)
        self.rig.acted("b")
        eventually(lambda: len(self.nats.messages("FALCO_OUTCOMES")) == 2)
        found = self.status()

        expect((found["version"], found["worker_error"])).to(equal((VERSION, "")))
        expect(found["nats"]).to(
            equal(
                {
                    "servers": f"nats://127.0.0.1:{self.nats.port}",
                    "stream": "FALCO",
                    "messages": 2,
                    "error": "",
                }
            )
        )
        expect((found["held"], found["dead_letters"])).to(equal(({}, {"not-permitted": 1})))
        expect(found["last_action"]["status"]).to(equal("acted"))

    with it("says so where NATS is away, and shows the rest"):
        self.nats.stop()
        found = self.status()

        expect(found["version"]).to(equal(VERSION))
        expect(found["nats"]["error"]).to(contain("ConnectionRefused"))
        expect(found["topics"]).to(equal(["falco.error.*"]))


with description("falco-playbook dead, as a NATS user who may not remove dead letters,") as self:
    with before.each:
        self.worker = start(
            self,
            config="""authorization { users: [
              { user: worker, password: w, permissions: { publish: {
                  deny: "$JS.API.STREAM.MSG.DELETE.>" } } } ] }""",
            user="worker:w",
        )

    with after.each:
        remove(self)

    with it("lists them; says what was put back and not removed; and stores nothing twice"):
        self.nats.alert("a", rule="once")
        given_up(self, 1)
        both = [run(*DEAD, "--redeliver", "--all", cluster=self.cluster) for _ in range(2)]

        expect([said.code for said in both]).to(equal([1, 1]))
        expect(both[0].err).to(
            contain("1 is redelivered as FALCO_INBOX:1, and is still a dead letter")
        )
        expect(both[0].err).to(contain("may not publish", "$JS.API.STREAM.MSG.DELETE.FALCO_DEAD"))
        expect(self.nats.messages("FALCO_INBOX")).to(have_len(1))


with description("falco-playbook simulate, with the stream of a real NATS,") as self:
    with before.each:
        self.worker = start(self)

    with after.each:
        remove(self)

    with it("reads every alert that is there, of whatever subject, and leaves them there"):
        bodies = [json.dumps(a_document(rule=f"Rule {n}")).encode() for n in range(600)]
        self.nats.publish(*((f"falco.notice.rule_{n}", body) for n, body in enumerate(bodies)))
        command = ("simulate", "-p", "delete", "-N", "fake", "-n", NAMESPACE, "--since", "1h")
        first = run(*command, "-o", "json", "-t", "falco.>", cluster=self.cluster)
        again = run(*command, "-o", "json", "-t", "falco.*.rule_7", cluster=self.cluster)

        expect(json.loads(first.out)["alerts"]).to(equal(600))
        expect(json.loads(again.out)["elsewhere"]).to(equal(599))

    with it("reads none that is older"):
        self.nats.publish(("falco.notice.a", json.dumps(a_document()).encode()))
        time.sleep(1.1)
        command = ("simulate", "-p", "delete", "-N", "fake", "-n", NAMESPACE, "--since", "1s")
        said = run(*command, "-o", "json", cluster=self.cluster)

        expect(json.loads(said.out)["alerts"]).to(equal(0))


with description("A command in a pod of a real cluster") as self:
    with before.all:
        self.namespace = cluster.a_namespace()
        cluster.create(cluster.a_pod_manifest("web", self.namespace))
        cluster.running_pod("web", self.namespace)
        self.objects = of_context()

    with after.all:
        cluster.delete_namespace(self.namespace)

    def execute(self, *command, container="main"):
        return self.objects.execute(self.namespace, "web", container, command)

    with it("gives what it prints, what it complains about and its exit code, apart"):
        done = self.execute("sh", "-c", "echo 'é \"$0\"'; echo why >&2; exit 3")

        expect(done.out).to(equal('é "$0"\n'))
        expect(done.err).to(contain("why"))
        expect(done.code).to(equal(3))

    with it("gives all of it, however much that is"):
        done = self.execute("sh", "-c", "yes 0123456789 | head -n 500000")

        expect(len(done.out)).to(equal(5_500_000))

    with it("is not there in a pod or a container that is not"):
        expect(lambda: self.objects.execute(self.namespace, "none", "main", ["true"])).to(
            raise_error(NotFound)
        )
        expect(lambda: self.execute("true", container="other")).to(raise_error(Refused))

    with it("is not run where there is no such program"):
        expect(lambda: self.execute("no-such-program")).to(
            raise_error(Refused, contain("no-such-program"))
        )


with description("falco-playbook, through the API server to a worker that was deployed,") as self:
    with before.all:
        self.server = Nats(address=cluster.node_address()).start()
        self.namespace = cluster.a_namespace()
        engine = ("-E", "kubernetes", "-i", IMAGE, "-R", "2", "-e", f"NATS_URL={self.server.url}")
        topic = ("-t", "falco.error.*")
        succeeded(deploy_playbook("-n", self.namespace, "-p", "delete", *topic, *engine))

    with after.all:
        deploy_playbook("-n", self.namespace, "-p", "delete", "-x")
        cluster.delete_namespace(self.namespace)
        self.server.remove()

    def falco_playbook(self, command, *words):
        place = ("-p", "delete", "-n", self.namespace)
        return program_of(sys.executable, "-m", "playbooks.commands", command, *place, *words)

    def letters(self):
        done = self.falco_playbook("dead", "-o", "json")
        assert done.code == 0, done.err
        return json.loads(done.out)

    def answer_with(self, token):
        """The status of an alert that is none, posted from inside of a worker."""
        pods = cluster.kubectl_json(
            "get", "pods", "-n", self.namespace, "-l", "function=falco-delete"
        )["items"]
        script = (
            "import http.client as h; c = h.HTTPConnection('127.0.0.1', 8080);"
            f" c.request('POST', '/', b'x', {{'Authorization': 'Bearer {token}'}});"
            " print(c.getresponse().status)"
        )
        return {
            cluster.kubectl(
                "exec", "-n", self.namespace, pod["metadata"]["name"], "--", "python3", "-c", script
            ).strip()
            for pod in pods
        }

    with it("lists the dead letters, and puts them back"):
        self.server.publish(("falco.error.x", b"nonsense"))
        eventually(lambda: len(self.letters()) == 1, 60)
        (before_it,) = self.letters()
        done = self.falco_playbook("dead", "--redeliver", "--all")

        expect(before_it["reason"]).to(equal("invalid-alert"))
        expect(done.out).to(contain(f"redelivered  {before_it['id']} as FALCO_INBOX:1"))
        # Nonsense still, it dies again.
        eventually(lambda: [n["id"] for n in self.letters()] == [before_it["id"] + 1], 30)
        expect(self.falco_playbook("dead").out).to(contain("invalid-alert"))

    with it("drops them, and the log of a worker says who did"):
        done = self.falco_playbook("dead", "--drop", "--all")
        logs = cluster.kubectl(
            "logs", "-n", self.namespace, "-l", "function=falco-delete", "--tail=-1"
        )
        (line,) = [json.loads(n) for n in logs.splitlines() if "is dropped" in n]

        expect(done.out).to(contain("dropped ", ": it was invalid-alert"))
        expect(self.letters()).to(equal([]))
        expect(line["by"]).to(start_with(of_context().whoami()))
        expect(line["by"]).not_to(be_empty)

    with it("shows the state of what is deployed, and the same in one row of a table"):
        done = self.falco_playbook("status", "-o", "json")
        (found,) = json.loads(done.out)
        wide = self.falco_playbook("list", "-o", "wide").out.splitlines()

        expect(done.err).to(equal(""))
        expect([found["ready"], found["replicas"], found["topics"]]).to(
            equal([2, 2, ["falco.error.*"]])
        )
        expect([found["version"], found["image"], found["nats"]["stream"]]).to(
            equal([VERSION, IMAGE, "FALCO"])
        )
        expect([found["paused"], found["contained"], found["worker_error"]]).to(
            equal([None, [], ""])
        )
        expect(wide).to(have_len(2))
        expect(wide[1]).to(contain("ok", "FALCO", VERSION))

    with it("prints the token that the workers take"):
        token = self.falco_playbook("token").out.strip()

        expect(self.answer_with(token)).to(equal({"400"}))
        expect(self.answer_with("not-the-token-at-all")).to(equal({"401"}))

    with it("rotates it: afterwards every worker takes the new one, and not the one before"):
        old = self.falco_playbook("token").out.strip()
        was = cluster.stored("deployment", "falco-delete", self.namespace)
        done = self.falco_playbook("token", "--rotate")
        new = done.out.strip()
        now = cluster.stored("deployment", "falco-delete", self.namespace)

        expect(done.code).to(equal(0))
        expect((self.answer_with(new), self.answer_with(old))).to(equal(({"400"}, {"401"})))
        expect(now["metadata"]["generation"]).to(equal(was["metadata"]["generation"]))


# Real servers, and a minute; the last two want a cluster as well.
not_run_unless(CLUSTER, globals())
not_run_unless(program("nats-server"), globals())
if CLUSTER.holds:
    ALONE = Condition(not controller_at_work(), "a controller of Kubeless is at work")
    for condition in (WORKER_IMAGE, ALONE):
        not_run_unless(condition, globals(), title="through the API")
