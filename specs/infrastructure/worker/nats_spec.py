import collections
import contextlib
import json
import os
import signal
import socket
import time

from expects import (
    be_above,
    be_below,
    be_below_or_equal,
    be_empty,
    contain,
    equal,
    expect,
    have_len,
)
from mamba import after, description, it

from playbooks.core.cluster.manifest import REMOVING
from specs.engines.worker.rig import UID, Rig, a_trigger, alerts, an_alert, moment
from specs.support.conditions import CLUSTER, not_run_unless, program
from specs.support.loopback.nats_server import Nats
from specs.support.processes import eventually

# Seconds for which connections are held; the whole attack is one of 120.
HELD = float(os.environ.get("WORKER_HELD_SECONDS", "12"))

PROXY = {"X_Forwarded_Uri": "/api/v1/namespaces/specs/services/falco-fake:8080/proxy/"}


def a_rig(self, *topics, nats=None, **settings):
    """A NATS server, a fake cluster and nothing running yet; removed after the example."""
    self.nats = (nats or Nats()).start()
    self.rig = Rig(self.nats.url, **settings)
    self.rig.serve(*topics)
    self.rest = [self.rig, self.nats]
    return self.rig, self.nats


def a_worker(self, *topics, nats=None, **settings):
    """And one worker that serves these topics."""
    rig, nats = a_rig(self, *topics, nats=nats, **settings)
    worker = rig.start().ready()
    for topic in topics:
        if isinstance(topic, str):
            worker.says(f"subscribed to {topic}")
    return rig, nats, worker


def remove(self):
    for thing in getattr(self, "rest", ()):
        thing.remove()
    self.rest = []


def dead(nats):
    return [message["headers"]["Falco-Reason"] for message in nats.messages("FALCO_DEAD")]


with description("A worker on NATS with JetStream") as self:
    with after.each:
        remove(self)

    with it("acts on an alert of its topic, and on no other"):
        rig, nats, _ = a_worker(self, "falco.error.*")
        nats.alert("other", subject="falco.debug.x")
        nats.alert("ours")

        expect(rig.acted("ours")).to(equal(["ours"]))
        eventually(nats.settled)

    with it("creates a stream over falco.> with limits, where there is none"):
        _, nats, _ = a_worker(self, "falco.error.*")
        config = nats.call("STREAM.INFO.FALCO")["config"]

        expect(config["subjects"]).to(equal(["falco.>"]))
        expect(config["retention"]).to(equal("limits"))
        expect(config["storage"]).to(equal("file"))
        expect(config["max_age"]).to(equal(72 * 3600 * 10**9))
        expect(config["max_bytes"]).to(equal(1024 * 1024 * 1024))

    with it("has one durable consumer a topic, named after its Function"):
        _, nats, _ = a_worker(self, "falco.error.*", "falco.debug.*")
        found = nats.consumers()

        expect({c["config"]["filter_subject"] for c in found}).to(
            equal({"falco.error.*", "falco.debug.*"})
        )
        expect([c["name"] for c in found if not c["name"].startswith(f"falco-{UID}-")]).to(be_empty)

    with it("uses a stream that covers the subjects"):
        rig, nats = a_rig(self, "falco.error.*")
        nats.stream("EVENTS", "falco.>", "orders.>")
        rig.start().ready().says("alerts come from stream EVENTS")
        nats.alert("a")

        expect(rig.acted("a")).to(equal(["a"]))

    with it("refuses a stream whose messages acknowledging would delete, until that is mended"):
        rig, nats = a_rig(self, "falco.error.*")
        nats.stream("JOBS", "falco.>", retention="workqueue")
        worker = rig.start().says("stream JOBS covers falco.> with retention 'workqueue'")
        status, said = worker.get("/readyz")

        expect(status).to(equal(503))
        expect(said).to(contain("JOBS"))
        expect(worker.get("/healthz")[0]).to(equal(200))
        nats.call("STREAM.DELETE.JOBS")
        worker.ready()

    with it("names a stream that has a part of the subjects, and what to do"):
        rig, nats = a_rig(self, "falco.error.*")
        nats.stream("ERRORS", "falco.error.*")
        worker = rig.start().says("stream ERRORS has falco.error.*")

        expect(worker.log).to(contain("nats stream edit ERRORS --subjects 'falco.>'"))

    with it("acts on nothing that was stored before its trigger was created"):
        rig, nats = a_rig(self)
        nats.stream("FALCO", "falco.>")
        old, _ = alerts(500, prefix="old")
        nats.publish(*old)
        time.sleep(1.1)
        rig.serve("falco.>")
        rig.start().ready().says("subscribed to falco.>")
        nats.alert("new")

        expect(rig.acted("new")).to(equal(["new"]))
        eventually(nats.settled)
        expect(rig.actions).to(equal(["new"]))

    with it("acts on what was stored after its trigger was created, while it was not running"):
        rig, nats = a_rig(self)
        nats.stream("FALCO", "falco.>")
        rig.serve("falco.>")
        nats.alert("early")
        rig.start()

        expect(rig.acted("early")).to(equal(["early"]))

    with it("follows its triggers within 5 seconds: a new topic, an edit, a deletion"):
        rig, nats, worker = a_worker(self, "falco.error.*")
        begun = time.monotonic()
        rig.serve("falco.error.*", "falco.debug.*")
        worker.says("subscribed to falco.debug.*", 5)
        nats.alert("a", subject="falco.debug.x")
        rig.acted("a")
        rig.serve("falco.error.*", "falco.notice.*")
        worker.says("subscribed to falco.notice.*", 5)
        nats.alert("b", subject="falco.notice.x")
        rig.acted("b")
        expect(time.monotonic() - begun).to(be_below(5))
        worker.says("unsubscribed from falco.debug.*")
        nats.alert("c", subject="falco.debug.x")
        nats.alert("d")
        rig.acted("d")

        expect(rig.actions).to(equal(["a", "b", "d"]))
        expect({c["config"]["filter_subject"] for c in nats.consumers()}).to(
            equal({"falco.error.*", "falco.notice.*"})
        )

    with it("does not act on history when a topic is widened"):
        rig, nats = a_rig(self)
        created = moment(60)
        rig.serve(a_trigger("falco.error.*", "t", created=created))
        worker = rig.start().ready().says("subscribed to falco.error.*")
        nats.alert("history", subject="falco.debug.x")
        nats.alert("a")
        rig.acted("a")
        time.sleep(1.1)
        edited = [{"time": moment(), "fieldsV1": {"f:spec": {"f:topic": {}}}}]
        rig.serve(a_trigger("falco.>", "t", created=created, managedFields=edited))
        worker.says("subscribed to falco.>", 5)
        nats.alert("b", subject="falco.debug.x")
        rig.acted("b")
        eventually(nats.settled)

        expect(rig.actions).to(equal(["a", "b"]))

    with it("looks through what a deleted topic owes when it was not running meanwhile"):
        rig, nats, worker = a_worker(self, "falco.error.*", "falco.*.x")
        worker.end()
        nats.alert("both")
        nats.alert("gone", subject="falco.error.y")
        rig.serve(a_trigger("falco.*.x", created=moment(60)))
        rig.start().ready().says("reading the remaining messages of falco.error.*")

        rig.acted("both")
        eventually(lambda: len(nats.consumers()) == 1)
        expect(rig.actions).to(equal(["both"]))

    with it("refuses a trigger that selects every function"):
        rig, nats = a_rig(self)
        wide = a_trigger("falco.>", "wide")
        wide["spec"]["functionSelector"] = {}
        rig.serve(wide)
        rig.start().ready().says("trigger wide is refused: its functionSelector is empty")
        nats.alert("a")
        time.sleep(1)

        expect(rig.actions).to(be_empty)

    with it("acts once on what two topics match"):
        rig, nats, _ = a_worker(self, "falco.error.*", "falco.*.x", "falco.>")
        messages, names = alerts(100)
        nats.publish(*messages)
        rig.acted(*names)
        eventually(nats.settled)

        expect(rig.actions).to(have_len(100))

    with it("acts once also with two replicas and two topics, and both work"):
        rig, nats, one = a_worker(self, "falco.error.*", "falco.>")
        two = rig.start().ready().says("subscribed to falco.>")
        messages, names = alerts(300, rule="slow 0.005")
        nats.publish(*messages)
        rig.acted(*names)
        eventually(nats.settled)

        expect(rig.actions).to(have_len(300))
        expect(len(one.outcomes)).to(be_above(30))
        expect(len(two.outcomes)).to(be_above(30))

    with it("takes nothing when its Function is gone"):
        rig, nats, worker = a_worker(self, "falco.error.*")
        rig.function = None
        rig.serve("falco.error.*")
        worker.says("is gone", 5)
        worker.says("unsubscribed from falco.error.*")
        nats.alert("a")
        time.sleep(1)

        expect(rig.actions).to(be_empty)
        expect(nats.consumers()).to(be_empty)

    with it("deletes its consumers as it ends while its Function is being removed"):
        rig, nats, worker = a_worker(self, "falco.error.*")
        rig.function["metadata"]["annotations"] = {REMOVING: "true"}
        rig.serve("falco.error.*")
        worker.says("alerts by HTTP are kept")
        expect(worker.end()).to(equal(0))

        expect(nats.consumers() + nats.consumers("FALCO_INBOX")).to(be_empty)

    with it("leaves its consumers to the next worker as it ends"):
        _, nats, worker = a_worker(self, "falco.error.*")
        worker.end()

        expect(nats.consumers() + nats.consumers("FALCO_INBOX")).to(have_len(2))

    with it("makes a consumer again that somebody deleted"):
        rig, nats, _ = a_worker(self, "falco.error.*")
        nats.call(f"CONSUMER.DELETE.FALCO.{nats.consumers()[0]['name']}")
        nats.alert("a")

        expect(rig.acted("a", seconds=30)).to(equal(["a"]))

    with it("takes in a burst"):
        rig, nats, worker = a_worker(self, "falco.error.*")
        messages, names = alerts(3000)
        nats.publish(*messages)
        rig.acted(*names)
        eventually(nats.settled)

        expect(rig.actions).to(have_len(3000))
        expect(worker.metric('function_calls_total{method="NATS"}')).to(equal(3000))

with description("A worker's failures") as self:
    with after.each:
        remove(self)

    with it("that may succeed later are tried again"):
        rig, nats, worker = a_worker(self, "falco.error.*")
        nats.alert("a", rule="once")

        expect(rig.acted("a")).to(equal(["a"]))
        expect(worker.metric('playbook_redeliveries_total{playbook="fake"}')).to(equal(1))

    with it("become dead letters after so many deliveries, written before they are acknowledged"):
        rig, nats, worker = a_worker(self, "falco.error.*", MAX_DELIVERIES="2")
        nats.alert("a", rule="unavailable")
        eventually(lambda: dead(nats))

        expect(dead(nats)).to(equal(["slack-unavailable"]))
        expect(rig.lines("tries")).to(have_len(2))
        eventually(nats.settled)
        letter = nats.messages("FALCO_DEAD")[0]
        expect(letter["subject"]).to(equal("falco-dead.falco-fake"))
        expect(letter["headers"]["Falco-Subject"]).to(equal("falco.error.x"))
        expect(letter["body"]).to(contain(b"unavailable"))

    with it("that are none of an alert's, or final, are dead letters at once, and block nobody"):
        rig, nats, worker = a_worker(self, "falco.error.*")
        poison = [b"", b"nonsense", b"[]", b'{"rule": 1}', b"\xff\xfe", b"x" * 900_000]
        nats.publish(*[("falco.error.x", body) for body in poison])
        nats.alert("forbidden", rule="forbidden")
        nats.alert("bug", rule="bug")
        nats.alert("fine")
        rig.acted("fine")
        eventually(lambda: len(dead(nats)) == 8)

        expect(collections.Counter(dead(nats))).to(
            equal({"invalid-alert": 6, "not-permitted": 1, "unexpected": 1})
        )
        eventually(nats.settled)
        lines = [json.loads(line) for line in worker.log.splitlines()]
        expect([line["reason"] for line in lines if "traceback" in line]).to(equal(["unexpected"]))

    with it("that kill it are given up after so many deliveries, and nothing else is lost"):
        rig, nats, worker = a_worker(self, "falco.error.*", MAX_DELIVERIES="3")
        nats.alert("poison", rule="crash")
        messages, names = alerts(20)
        nats.publish(*messages)

        def over():
            if rig.workers[-1].process.poll() is not None:
                rig.start()
            return dead(nats)

        eventually(over, 60, every=0.2)
        rig.acted(*names)
        expect(dead(nats)).to(equal(["deliveries-exhausted"]))
        expect(len(rig.workers)).to(equal(4))

    with it("of the account cost no delivery, and the worker is not ready until they are over"):
        rig, nats, worker = a_worker(self, "falco.error.*", MAX_DELIVERIES="1")
        rig.refuse(True)
        messages, names = alerts(100)
        nats.publish(*messages)
        worker.says("the account is refused: alerts wait, and keep their deliveries")

        status, said = worker.get("/readyz")
        expect((status, "the account is refused" in said)).to(equal((503, True)))
        expect(worker.metric('playbook_api_unavailable{playbook="fake"}')).to(equal(1))
        rig.refuse(False)
        rig.acted(*names)
        expect(dead(nats)).to(be_empty)
        expect(worker.metric('playbook_redeliveries_total{playbook="fake"}')).to(equal(0))
        worker.ready()

    with it("of the stream of dead letters cost no delivery, and end when it can be made anew"):
        rig, nats, worker = a_worker(self, "falco.error.*", MAX_DELIVERIES="1")
        nats.call("STREAM.DELETE.FALCO_DEAD")
        nats.stream("SQUATTER", "falco-dead.other")
        nats.alert("no", rule="forbidden")
        nats.alert("yes")
        worker.says("dead letters cannot be stored: stream SQUATTER")

        eventually(lambda: worker.get("/readyz")[0] == 503)
        nats.call("STREAM.DELETE.SQUATTER")
        eventually(lambda: dead(nats) == ["not-permitted"])
        rig.acted("yes")
        eventually(nats.settled)
        expect(worker.metric('playbook_redeliveries_total{playbook="fake"}')).to(equal(0))
        worker.ready()

    with it("of a stream that is full and refuses messages are said by log and readiness"):
        rig, nats = a_rig(self, "falco.error.*")
        nats.stream("FALCO", "falco.>", max_bytes=4000, discard="new")
        worker = rig.start().ready().says("subscribed")
        messages, _ = alerts(30)
        nats.publish(*messages)
        worker.says("stream FALCO is full and refuses messages")

        expect(worker.get("/readyz")[0]).to(equal(503))
        nats.call("STREAM.PURGE.FALCO")
        worker.says("the streams take messages in again").ready()

    with it("of the stream of alerts are said by readiness until it can be made anew"):
        rig, nats, worker = a_worker(self, "falco.error.*")
        nats.call("STREAM.DELETE.FALCO")
        nats.stream("SQUATTER", "falco.error.x")
        eventually(lambda: worker.get("/readyz")[0] == 503)

        expect(worker.get("/readyz")[1]).to(contain("falco.error.* is not served"))
        nats.call("STREAM.DELETE.SQUATTER")
        worker.ready()
        nats.alert("after")
        rig.acted("after")

    with it("of the API server cost no delivery, and nothing is pulled meanwhile"):
        rig, nats, worker = a_worker(self, "falco.error.*", MAX_DELIVERIES="1")
        rig.away(True)
        messages, names = alerts(200)
        nats.publish(*messages)
        worker.says("the API server is away")
        time.sleep(6)

        expect(worker.get("/readyz")[0]).to(equal(200))
        expect(worker.metric('playbook_api_unavailable{playbook="fake"}')).to(equal(1))
        expect(nats.consumers()[0]["num_ack_pending"]).to(be_below_or_equal(16))
        rig.away(False)
        rig.acted(*names)
        eventually(nats.settled)
        expect(rig.actions).to(have_len(200))
        expect(dead(nats)).to(be_empty)
        expect(worker.metric('playbook_redeliveries_total{playbook="fake"}')).to(equal(0))

    with it("of somebody else's stream of dead letters are not passed over: nothing is lost"):
        rig, nats = a_rig(self, "falco.error.*")
        nats.stream("FALCO_DEAD", "falco-dead.>", max_bytes=100, discard="new")
        worker = rig.start().ready().says("subscribed")
        nats.alert("a", rule="forbidden")
        worker.says("no dead letter for FALCO:1, it is tried again")

        expect(nats.consumers()[0]["num_ack_pending"]).to(equal(1))

with description("At least once") as self:
    with after.each:
        remove(self)

    with it("is what a worker keeps to that is killed with -9, three times"):
        rig, nats, worker = a_worker(self, "falco.error.*")
        messages, names = alerts(200, rule="slow 0.1")
        nats.publish(*messages)
        for count in (20, 60, 120):
            eventually(lambda count=count: len(rig.actions) >= count)
            rig.workers[-1].kill()
            rig.start()
        rig.acted(*names, seconds=60)
        eventually(nats.settled)
        twice = sum(n - 1 for n in collections.Counter(rig.actions).values())

        expect(dead(nats)).to(be_empty)
        expect(twice).to(be_below_or_equal(3 * 8))

    with it("is kept through a restart of NATS, killed with -9, with file storage"):
        rig, nats, worker = a_worker(self, "falco.error.*")
        messages, names = alerts(150, rule="slow 0.1")
        nats.publish(*messages)
        eventually(lambda: len(rig.actions) >= 20)
        nats.stop(signal.SIGKILL)
        eventually(lambda: worker.get("/readyz")[0] == 503)
        expect(worker.get("/healthz")[0]).to(equal(200))
        nats.start()
        rig.acted(*names, seconds=60)
        nats.alert("later")
        rig.acted("later")
        eventually(nats.settled)

        expect(dead(nats)).to(be_empty)
        expect(rig.actions).to(have_len(151))

    with it("is kept on a NATS that lost its data, whose messages count from 1 again"):
        rig, nats, worker = a_worker(self, "falco.error.*")
        nats.alert("a")
        rig.acted("a")
        nats.stop(signal.SIGKILL)
        nats.remove()
        fresh = Nats(port=nats.port)
        self.rest.append(fresh)
        fresh.start()
        worker.ready()
        eventually(lambda: fresh.consumers(), 30)
        fresh.alert("b")

        expect(rig.acted("b", seconds=30)).to(equal(["a", "b"]))

    with it("is once where work takes longer than a claim lasts"):
        rig, nats, worker = a_worker(self, "falco.error.*")
        nats.alert("a", rule="slow 7")
        rig.acted("a")
        eventually(nats.settled)

        expect(rig.lines("began")).to(equal(["a"]))

    with it("is kept on SIGTERM: what began is finished, and the rest handed back at once"):
        rig, nats, one = a_worker(self, "falco.error.*", CONCURRENCY="2")
        messages, names = alerts(20, rule="slow 1")
        nats.publish(*messages)
        eventually(lambda: len(rig.lines("began")) >= 2)
        begun = time.monotonic()
        code = one.end()
        ended = time.monotonic() - begun
        expect(code).to(equal(0))
        expect(ended).to(be_below(2.5))
        expect(len(rig.actions)).to(equal(len(rig.lines("began"))))
        two = rig.start(CONCURRENCY="20").ready()
        rig.acted(*names)
        eventually(nats.settled)

        expect(rig.actions).to(have_len(20))
        expect(two.log).not_to(contain("exhausted"))

    with it("is kept through a rollout while alerts flow"):
        rig, nats, one = a_worker(self, "falco.error.*")
        names = []
        for part in range(6):
            messages, some = alerts(50, prefix=f"p{part}-")
            nats.publish(*messages)
            names += some
            if part % 2:
                new = rig.start().ready()
                rig.workers[-2].end()
                expect(new.process.poll()).to(equal(None))
        rig.acted(*names)
        eventually(nats.settled)

        expect(rig.actions).to(have_len(300))

with description("A worker's HTTP, with JetStream") as self:
    with after.each:
        remove(self)

    with it("answers 200 with the outcome of an alert that was stored first"):
        rig, nats, worker = a_worker(self)
        status, said = worker.post(an_alert("a"))

        expect(status).to(equal(200))
        expect(said).to(contain('"status": "acted"'))
        expect(nats.messages("FALCO_INBOX")[0]["subject"]).to(equal(f"falco-inbox.{UID}"))

    with it("answers 200 also when another replica does it"):
        rig, nats, one = a_worker(self)
        two = rig.start().ready()
        statuses = {one.post(an_alert(f"n{n}"))[0] for n in range(20)}

        expect(statuses).to(equal({200}))
        expect(one.outcomes).not_to(be_empty)
        expect(two.outcomes).not_to(be_empty)

    with it("answers 202 with an id for what takes longer, and does it"):
        rig, nats, worker = a_worker(self)
        status, said = worker.post(an_alert("a", rule="slow 4"))

        expect(status).to(equal(202))
        expect(said).to(contain('"id": "FALCO_INBOX:1"'))
        rig.acted("a")

    with it("answers 202 while the API server is away, and does it later"):
        rig, nats, worker = a_worker(self)
        rig.away(True)

        expect(worker.post(an_alert("a"))[0]).to(equal(202))
        rig.away(False)
        rig.acted("a")

    with it("answers 400, 401 and 413, and stores nothing"):
        rig, nats, worker = a_worker(self)

        expect(worker.post(b"nonsense")[0]).to(equal(400))
        expect(worker.post(an_alert("a"), token=None)[0]).to(equal(401))
        expect(worker.post(an_alert("a"), token="wrong-token-wrong")[0]).to(equal(401))
        expect(worker.post(b"x" * (1024 * 1024 + 1))[0]).to(equal(413))
        expect(nats.messages("FALCO_INBOX")).to(be_empty)

    with it("gives a caller through the API server's proxy a dry run"):
        rig, nats, worker = a_worker(self)
        status, said = worker.post(an_alert("a"), token=None, **PROXY)

        expect(status).to(equal(200))
        expect(said).to(contain('"dry_run": true'))
        expect(rig.actions).to(be_empty)
        expect(nats.messages("FALCO_INBOX")).to(be_empty)

    with it("does what it cannot store while NATS is away, and 503s what it cannot do either"):
        rig, nats, worker = a_worker(self)
        nats.stop(signal.SIGKILL)
        eventually(lambda: worker.get("/readyz")[0] == 503)

        expect(worker.post(an_alert("a"))[0]).to(equal(200))
        rig.away(True)
        expect(worker.post(an_alert("b"))[0]).to(equal(503))
        expect(rig.actions).to(equal(["a"]))

    with it("takes the alerts that are put back into the function's inbox"):
        rig, nats, worker = a_worker(self, "falco.error.*")
        nats.publish((f"falco-inbox.{UID}", an_alert("again")))

        expect(rig.acted("again")).to(equal(["again"]))

    with it("is closed with HTTP=off"):
        rig, nats, worker = a_worker(self, HTTP="off")

        expect(worker.post(an_alert("a"))[0]).to(equal(404))
        expect(worker.get("/metrics")[0]).to(equal(200))

    with it("does not wait for slow senders when it is told to end"):
        rig, nats, worker = a_worker(self)
        import socket

        slow = socket.create_connection(("127.0.0.1", worker.port))
        slow.send(b"POST / HTTP/1.1\r\nHost: w\r\nContent-Length: 100\r\n\r\n")
        time.sleep(0.2)
        begun = time.monotonic()

        expect(worker.end()).to(equal(0))
        expect(time.monotonic() - begun).to(be_below(12))
        slow.close()

with description("A worker on NATS without JetStream") as self:
    with after.each:
        remove(self)

    with it("acts, and warns plainly that alerts can be lost"):
        rig, nats, worker = a_worker(self, "falco.error.*", nats=Nats(jetstream=False))
        nats.alert("a")

        expect(rig.acted("a")).to(equal(["a"]))
        expect(worker.log).to(contain("has no JetStream"))
        expect(worker.log).to(contain("lost"))

    with it("shares the alerts with other replicas, and acts once on what two topics match"):
        rig, nats, one = a_worker(self, "falco.error.*", "falco.>", nats=Nats(jetstream=False))
        two = rig.start().ready().says("subscribed to falco.error.*")
        messages, names = alerts(200)
        nats.publish(*messages)
        rig.acted(*names)
        time.sleep(0.5)

        expect(rig.actions).to(have_len(200))
        expect(one.outcomes).not_to(be_empty)
        expect(two.outcomes).not_to(be_empty)

    with it("tries again what may succeed, and waits for an API server that is away"):
        rig, nats, worker = a_worker(self, "falco.error.*", nats=Nats(jetstream=False))
        nats.alert("a", rule="once")
        rig.acted("a")
        rig.away(True)
        nats.alert("b")
        worker.says("the API server is away")
        rig.away(False)

        expect(rig.acted("b")).to(equal(["a", "b"]))

    with it("answers posted alerts by itself, and 503 where it cannot"):
        rig, nats, worker = a_worker(self, nats=Nats(jetstream=False))

        expect(worker.post(an_alert("a"))[0]).to(equal(200))
        rig.away(True)
        expect(worker.post(an_alert("b"))[0]).to(equal(503))

    with it("subscribes and unsubscribes with its triggers"):
        rig, nats, worker = a_worker(self, "falco.error.*", nats=Nats(jetstream=False))
        rig.serve("falco.debug.*")
        worker.says("unsubscribed from falco.error.*", 5).says("subscribed to falco.debug.*", 5)
        nats.alert("a")
        nats.alert("b", subject="falco.debug.x")

        expect(rig.acted("b")).to(equal(["b"]))


with description("A worker whose port is held by 1,000 silent and 1,000 slow connections") as self:
    with after.each:
        remove(self)

    with it("answers its probes, and an alert with its token within a second"):
        rig, nats, worker = a_worker(self, "falco.error.*")
        held, probes, alerts_took = [], [], []
        for number in range(2000):
            source = (f"127.0.3.{number % 20 + 1}", 0)
            address = ("127.0.0.1", worker.port)
            held.append(socket.create_connection(address, 5, source))
        slow = held[::2]
        until, sent = time.monotonic() + HELD, 0
        while time.monotonic() < until:
            for one in slow:
                with contextlib.suppress(OSError):
                    one.send(b"POST / HTTP/1.1\r\n"[sent % 17 :][:1])
            sent += 1
            probes += [worker.probe("/healthz"), worker.probe("/readyz")]
            begun = time.monotonic()
            status, _ = worker.post(an_alert(f"held-{sent}"))
            alerts_took.append(time.monotonic() - begun)
            expect(status).to(equal(200))
            time.sleep(0.2)
        for one in held:
            one.close()

        expect(len(probes)).to(be_above(10))
        expect(max(probes)).to(be_below(1.0))
        expect(max(alerts_took)).to(be_below(1.0))
        expect(worker.process.poll()).to(equal(None))


# Needs no cluster, but real servers and two minutes.
not_run_unless(CLUSTER, globals())
not_run_unless(program("nats-server"), globals())
