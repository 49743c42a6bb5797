import json
import re

from expects import be_empty, be_true, contain, end_with, equal, expect, start_with
from mamba import before, description, it

from playbooks import isolate, taint
from playbooks.core.cluster.manifest import reference
from playbooks.core.containment.scaling import ScaleNote, Scaling
from playbooks.core.errors import NotPermitted
from playbooks.core.instant import Instant, after
from playbooks.core.ledger.book import Book, Request
from playbooks.core.ledger.contained import Contained
from playbooks.core.ledger.limits import Limits
from playbooks.core.outcome import Outcome
from playbooks.deployment.removal.client import Client
from playbooks.engines.outcome_log import line
from playbooks.engines.worker.operator.protocol import DEAD_LETTERS, STATE
from playbooks.infrastructure import ledger
from playbooks.infrastructure.this_pod import SystemClock
from playbooks.testing import (
    FixedClock,
    InMemoryCluster,
    InMemoryLedger,
    a_document,
    a_node,
    a_pod,
)
from specs.commands.fake_cluster import FakeCluster, StoredLedger, a_cluster, a_line, answer, run
from specs.deployment.mothers import a_worker_request, worker_objects
from specs.support.wired import reacted

LEDGER = "falco-delete-ledger"
DONE = Outcome.acted("pod shop/web-0", "deletion-accepted", "deletion of pod shop/web-0 accepted")


class Worker(FakeCluster):
    """Its worker has these dead letters and this history, and says this of itself."""

    letters, history, waited = (), (), ()
    state = (
        {
            "version": "0.1.0",
            "python": "3.13.1",
            "servers": "nats://nats:4222",
            "stream": {"name": "FALCO", "messages": 7},
        },
    )

    def execute(self, namespace, pod, container, command, **how):
        super().execute(namespace, pod, container, command)
        self.waited = [*self.waited, how["seconds"]]
        found = {DEAD_LETTERS: self.letters, STATE: self.state}
        return answer(*next((found[word] for word in command if word in found), self.history))


def forbidden(*_, **__):
    raise NotPermitted("forbidden (403)")


def deployed(cluster, playbook, name, namespace):
    """One more, of which nothing runs."""
    request = a_worker_request(playbook, "-N", name)
    made = worker_objects(request, namespace=namespace, image="image:1")
    cluster.create([m for m in made.in_order if m["kind"] != "Role"])


def nested(depth):
    return [nested(depth - 1)] if depth else []


def client(*pods):
    cluster = InMemoryCluster(*pods)
    return lambda context: Client(FixedClock(), cluster, lambda place: InMemoryLedger())


with description("falco-playbook list") as self:
    with before.each:
        self.cluster = a_cluster("-e", "MAX_ACTIONS=3")

    def rows(self, *words):
        said = run("list", *words, cluster=self.cluster)
        expect(said.code).to(equal(0))
        return [line.split() for line in said.out.splitlines()]

    with it("lists the playbooks of the namespace, or of all with -A"):
        deployed(self.cluster, "taint", "taint", "ops")

        expect([row[:5] for row in self.rows()[1:]]).to(
            equal([["default", "falco-delete", "delete", "1/1", "falco.error.*"]])
        )
        expect([row[1] for row in self.rows("-A")[1:]]).to(equal(["falco-delete", "falco-taint"]))
        expect([row[1] for row in self.rows("-n", "ops")[1:]]).to(equal(["falco-taint"]))

    with it("says who paused one"):
        run("pause", "-p", "delete", cluster=self.cluster)

        expect(" ".join(self.rows()[1])).to(contain("by alice ("))

    with it("says of one that only would act that it is a dry run"):
        self.cluster = a_cluster("-e", "DRY_RUN=true")

        expect(" ".join(self.rows()[1])).to(contain("falco-delete delete, dry run"))

    with it("says that there are none, and that the one which is wanted is not there"):
        none = run("list", "-n", "empty", cluster=self.cluster)
        other = run("list", "-p", "isolate", cluster=self.cluster)

        expect((none.code, none.out)).to(equal((0, "")))
        expect(none.err).to(contain("there are no playbooks in namespace empty"))
        expect(other.code).to(equal(1))
        expect(other.err).to(contain("there is no Function falco-isolate in namespace default"))

    with it("lists all where one Function names a ledger that cannot be"):
        function = self.cluster.the("Function", "falco-delete")
        (container,) = function["spec"]["deployment"]["spec"]["template"]["spec"]["containers"]
        container["env"] = [*container["env"], {"name": "LEDGER", "value": "no name/of any"}]

        expect(run("list", cluster=self.cluster).out).to(
            contain("its pauses and budgets are unknown: LEDGER is 'no name/of any', expected")
        )

    with it("lists also where a ledger may not be read, and says so"):
        del self.cluster.objects[("ConfigMap", "default", LEDGER)]

        expect(run("list", cluster=self.cluster).out).to(
            contain("its pauses and budgets are unknown: there is no ledger default/")
        )

    with it("is refused for -A with -n"):
        expect(run("list", "-A", "-n", "shop").code).to(equal(2))


with description("falco-playbook status") as self:
    with before.each:
        self.cluster = a_cluster("-e", "MAX_ACTIONS=3", kind=Worker)

    def status(self, *words, client=client()):
        said = run("status", *words, cluster=self.cluster, client=client)
        expect(said.code).to(equal(0))
        return said.out

    def scaled(self, store):
        note = Scaling.to_notes(ScaleNote(before=3, now=0))
        target = Contained("d", "deployment", "shop", "web", note)
        ledger.change(store, lambda book: book.contain(target))

    with it("shows the settings that differ from the defaults, and no secret"):
        expect(self.status()).to(contain("settings:       MAX_ACTIONS=3\n"))
        expect(self.status()).to(start_with("default/falco-delete (delete)\n"))

    with it("shows a pause with its reason, and the budget that is used up"):
        run("pause", "-p", "delete", "--why", "nodes move", cluster=self.cluster)
        stored = self.cluster.the("ConfigMap", LEDGER)["data"]
        book = json.loads(stored["ledger.json"])
        stored["ledger.json"] = json.dumps(
            {**book, "tripped": {"shop": {"at": "2026-01-02T03:04:05Z", "limit": "3 of 3"}}}
        )

        expect(self.status()).to(contain("by alice (", ": nodes move\n"))
        expect(self.status()).to(contain("budget used up: shop (since 2026-01-02T03:04:05Z)"))

    with it("counts what the budgets have left"):
        now = SystemClock().now()
        book, limits = Book(), Limits(3, None, None, None, 600.0)
        for uid, place in (("1", "shop"), ("2", "shop"), ("3", "ops")):
            book.ask(Request(uid, place, now), limits, now)
        self.cluster.the("ConfigMap", LEDGER)["data"] = {"ledger.json": book.text()}

        expect(self.status()).to(
            contain("budgets:        ops 1 of 3; shop 2 of 3; all namespaces 1 of 30\n")
        )

    with it("shows NATS, its stream and the version that runs"):
        expect(self.status()).to(
            contain(
                "version:        0.1.0 (image:1)\n",
                "nats:           nats://nats:4222\n",
                "stream:         FALCO, 7 messages\n",
            )
        )

    with it("says what is wrong with NATS or its stream"):
        (said,) = Worker.state
        self.cluster.state = ({**said, "stream": {"why": "no stream keeps falco.>"}},)

        expect(self.status()).to(contain("nats://nats:4222: no stream keeps falco.>\n"))

    with it("counts held alerts and dead letters by reason, and shows the last action"):
        self.cluster.letters = (
            a_line(1, Reason="paused"),
            a_line(2, Reason="host-mounts", Held="true"),
            a_line(3),
        )
        skipped = Outcome.skipped("finished", "it has succeeded")
        self.cluster.history = tuple(
            {**line("delete", a_document(), each), "recorded": "2026-11-21T10:00:01.25Z"}
            for each in (DONE, skipped)
        )

        expect(self.status()).to(
            contain(
                "held alerts:    2 (1 paused, 1 host-mounts)\n",
                "dead letters:   1 (1 not-permitted)\n",
                "last action:    2026-11-21T10:00:01Z deletion of pod shop/web-0 accepted\n",
            )
        )

    with it("shows all that it can, whatever somebody's own worker answers"):
        acted = {**line("delete", a_document(), DONE), "recorded": 1}
        for odd in ("FALCO", ["FALCO"], {"why": ["x"]}, nested(900)):
            self.cluster.state = ({"version": odd, "stream": odd},)
            self.cluster.letters = (
                {**a_line(1), "headers": odd},
                {"headers": {"Falco-Reason": odd}},
            )
            self.cluster.history = ({**acted, "alert": {"rule": odd}}, {**acted, "details": odd})
            for words in ((), ("-o", "wide"), ("-o", "json")):
                expect(self.status(*words)).to(contain("falco-delete"))

    with it("waits a minute at most for each that it asks a worker"):
        self.status()

        expect(self.cluster.waited).to(equal([60.0, 60.0, 60.0]))

    with it("says why the worker was not asked"):
        self.cluster = a_cluster(pods=())

        expect(self.status()).to(contain("worker:", "no worker of default/falco-delete runs"))

    with it("shows as unknown what only a worker could tell"):
        self.cluster = a_cluster(pods=())
        unknown = ("held alerts:    unknown", "dead letters:   unknown", "last action:    unknown")

        expect(self.status()).to(contain(*unknown))

    with it("does not wait for NATS again and again where the worker does not reach it"):
        (said,) = Worker.state
        why = "no connection within 10 s"
        self.cluster.state = ({**{k: v for k, v in said.items() if k != "stream"}, "why": why},)

        shown = self.status()
        expect(shown).to(contain(f"nats://nats:4222: {why}", "held alerts:    unknown"))
        expect(len(self.cluster.executed)).to(equal(1))

    with it("shows what is contained, and until when"):
        self.cluster = a_cluster(playbook="isolate", pods=("falco-isolate-1",), kind=Worker)
        at = client(a_pod())
        cluster = at("").cluster
        reacted(isolate.playbook, cluster, ISOLATE_TTL="1h")

        expect(self.status(client=at)).to(contain("contained:      pod shop/web-0 until 20"))

    with it("shows what is over and still contained, which nothing ends by itself"):
        self.cluster = a_cluster(playbook="isolate", pods=("falco-isolate-1",), kind=Worker)
        at = client(a_pod())
        reacted(isolate.playbook, at("").cluster, ISOLATE_TTL="1h")
        said = self.status(client=at)
        (until,) = re.findall("pod shop/web-0 until (20[^,]*), which is over: falco-playb", said)

        expect(Instant.parse(until) < SystemClock().now()).to(be_true)

    with it("shows what was undone and is left alone, and nothing that is so no more"):
        now, book = SystemClock().now(), Book()
        book.leave_alone("a", "pod shop/web-0", "alice", after(now, 60))
        book.leave_alone("b", "pod shop/web-1", "alice", after(now, -60))
        self.cluster.the("ConfigMap", LEDGER)["data"] = {"ledger.json": book.text()}
        said = self.status()

        expect(said).to(
            contain(f"left alone:     pod shop/web-0 until {after(now, 60)}, undone by")
        )
        expect(said).not_to(contain("web-1"))

    with it("shows what stands in the ledger alone, too"):
        self.cluster = a_cluster(playbook="scale", pods=("falco-scale-1",), kind=Worker)
        at = client(a_pod())
        workload = {
            "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "shop", "uid": "d", "resourceVersion": "1"},
            "spec": {"replicas": 0},
        }
        at("").cluster.put(workload)
        self.scaled(StoredLedger(self.cluster, "default", "falco-scale-ledger"))
        self.cluster.reads.clear()

        expect(self.status(client=at)).to(contain("contained:      deployment shop/web, no end\n"))
        expect(self.cluster.reads.count(("get", "ConfigMap falco-scale-ledger"))).to(equal(1))

    with it("speaks to no terminal, whatever the handler of somebody's Function is"):
        self.cluster.the("Function", "falco-delete")["spec"]["handler"] = "\x1b[2Jdelete.handler"

        expect(self.status()).to(start_with("default/falco-delete (\\x1b[2Jdelete)\n"))

    with it("shows nothing of a ledger in another namespace than its Function, as of the pauses"):
        theirs = ("-e", "LEDGER=theirs/ledger")
        self.cluster = a_cluster(*theirs, playbook="scale", pods=("falco-scale-1",), kind=Worker)
        place = reference("v1", "ConfigMap", "ledger", "theirs")
        place["metadata"]["labels"] = {"falco/ledger": "true"}
        self.cluster.create([place])
        at = client(a_pod())
        at("").cluster.put(
            {
                "kind": "Deployment",
                "metadata": {"name": "web", "namespace": "shop", "uid": "d"},
                "spec": {"replicas": 0},
            }
        )
        self.scaled(StoredLedger(self.cluster, "theirs", "ledger"))
        said = self.status(client=at)

        why = "theirs/ledger is in another namespace than its Function"
        expect(said).to(contain(f"ledger:         {why}", f"contained:      unknown: {why}"))
        expect(said).not_to(contain("deployment shop/web"))

    with it("shows the others where the contained objects may not be listed"):
        self.cluster = a_cluster(playbook="isolate", pods=("falco-isolate-1",), kind=Worker)
        at = client()
        at("").cluster.labelled_pods = forbidden

        expect(self.status(client=at)).to(
            contain("contained:      unknown: forbidden (403)\n", "dead letters:   0\n")
        )

    with it("shows all of it in one table with -o wide, as list does"):
        self.cluster.letters = (a_line(1),)
        head, row = self.status("-o", "wide").splitlines()

        expect(head).to(end_with("LAST ACTION  NATS  STREAM  VERSION  SETTINGS"))
        expect(row.split()[-9:]).to(
            equal(["-", "0", "1", "0", "-", "ok", "FALCO", "0.1.0", "MAX_ACTIONS=3"])
        )
        listed = run("list", "-o", "wide", cluster=self.cluster, client=client())
        expect(listed.out).to(equal(f"{head}\n{row}\n"))

    with it("shows it for machines"):
        (found,) = json.loads(self.status("-o", "json"))

        expect([found["name"], found["engine"], found["ready"], found["replicas"]]).to(
            equal(["falco-delete", "kubernetes", 1, 1])
        )
        expect(found["settings"]).to(equal({"MAX_ACTIONS": "3"}))
        expect([found["paused"], found["tripped"], found["dead_letters"]]).to(equal([None, {}, {}]))
        expect(found["contained"]).to(be_empty)


with description("falco-playbook contained") as self:
    with before.each:
        self.cluster = a_cluster(playbook="isolate", pods=())
        deployed(self.cluster, "taint", "taint", "ops")
        self.at = client(a_pod(), a_node())
        reacted(isolate.playbook, self.at("").cluster, ISOLATE_TTL="1h")
        reacted(taint.playbook, self.at("").cluster)

    def contained(self, *words):
        said = run("contained", *words, cluster=self.cluster, client=self.at)
        expect(said.code).to(equal(0))
        return said

    with it("lists what playbooks contain, as undo takes it, until when and by which function"):
        head, pod, node = self.contained("-A").out.splitlines()

        expect(head.split()).to(equal(["NAMESPACE", "OBJECT", "UNTIL", "PLAYBOOK", "BY"]))
        expect(pod.split()[:2]).to(equal(["shop", "pod/web-0"]))
        expect(pod).to(contain(", which is over", "isolate   default/falco-isolate"))
        expect(node.split()).to(
            equal(["-", "node/node-1", "no", "end", "taint", "ops/falco-taint"])
        )

    with it("lists that of the playbooks of a namespace, or of one"):
        expect(self.contained().out).not_to(contain("node-1"))
        expect(self.contained("-p", "taint", "-n", "ops").out).not_to(contain("web-0"))

    with it("asks no worker"):
        self.contained("-A")

        expect(self.cluster.executed).to(be_empty)

    with it("says that nothing is"):
        self.at = client()
        said = self.contained("-A")

        expect((said.out, "nothing is contained" in said.err)).to(equal(("", True)))
        expect(json.loads(self.contained("-A", "-o", "json").out)).to(be_empty)

    with it("lists it for machines"):
        pod, node = json.loads(self.contained("-A", "-o", "json").out)

        expect((pod["kind"], pod["namespace"], pod["name"])).to(equal(("pod", "shop", "web-0")))
        expect(Instant.parse(pod["until"]) < SystemClock().now()).to(be_true)
        expect(node).to(
            equal(
                {
                    **{"kind": "node", "namespace": "", "name": "node-1", "until": ""},
                    **{"playbook": "taint", "by": "ops/falco-taint", "error": ""},
                }
            )
        )

    with it("says of which playbook nothing is known, and lists the others"):
        self.at("").cluster.labelled_pods = forbidden
        said = self.contained("-A").out

        expect(said).to(contain("unknown", "    forbidden (403)\n", "node/node-1"))
