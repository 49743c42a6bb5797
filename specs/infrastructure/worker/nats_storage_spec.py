"""What keeps alerts from being stored, or from being found in their stream: on real NATS servers.

``SPEC_NATS_SERVER`` names a nats-server of 2.10 or later, where the one on the PATH is older.
"""

import os
import re
import subprocess

from expects import contain, equal, expect
from mamba import after, description, it

from specs.engines.worker.rig import Rig, an_alert
from specs.support.conditions import CLUSTER, Condition, not_run_unless, program
from specs.support.loopback.nats_server import Nats
from specs.support.processes import eventually

SERVER = os.environ.get("SPEC_NATS_SERVER", "nats-server")
REFUSE = 'playbook_streams_refuse{playbook="fake"}'
RENAMED = 'playbook_renamed_topics{playbook="fake"}'

SMALL = "jetstream { max_file_store: 4194304 }"
LARGE = b"x" * 900_000
NAMES = ("FALCO", "FALCO_DEAD", "FALCO_INBOX", "FALCO_OUTCOMES")


def begin(self, topic="falco.error.*", config="", **nats):
    self.nats = Nats(config=config, **nats).start()
    self.rig = Rig(self.nats.url, WORKER_SPEC_LOOKS="1")
    self.rig.serve(topic)
    return self.nats


def remove(self):
    self.rig.remove()
    self.nats.remove()


def streams(nats, **config):
    for name in NAMES:
        subject = name.lower().replace("_", "-")
        nats.stream(name, f"{subject}.>", **config)


def is_new():
    """Whether the server knows subject_transform: 2.10."""
    if not program(SERVER).holds:
        return False
    said = subprocess.run([SERVER, "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(map(int, re.findall(r"\d+", said)[:2])) >= (2, 10)


with description("A worker on a server that is out of storage") as self:
    with after.each:
        remove(self)

    with it("says so in log, metric and readiness, costs no delivery, and goes on by itself"):
        nats = begin(self, config=SMALL)
        streams(nats)
        nats.stream("OTHER", "other.>")
        worker = self.rig.start(MAX_DELIVERIES="1").ready()
        worker.says("subscribed to falco.error.*")
        nats.alert("before")
        self.rig.acted("before")
        nats.publish(*[("other.x", LARGE)] * 8)
        worker.says("NATS stores nothing any more, and refuses messages: insufficient")
        eventually(lambda: worker.get("/readyz")[0] == 503)
        expect(worker.get("/readyz")[1]).to(contain("insufficient"))
        expect([worker.metric(REFUSE), worker.metric('playbook_ready{playbook="fake"}')]).to(
            equal([1, 0])
        )
        nats.call("STREAM.DELETE.OTHER")
        worker.ready().says("the streams take messages in again")
        nats.alert("after", rule="forbidden")
        eventually(lambda: nats.messages("FALCO_DEAD"))

        expect(worker.metric(REFUSE)).to(equal(0))
        expect([c["num_redelivered"] for c in nats.consumers()]).to(equal([0]))
        expect(nats.messages("FALCO_DEAD")[0]["headers"]["Falco-Reason"]).to(equal("not-permitted"))

    with it("lets no alert become nothing: one that is given up waits until it can be kept"):
        nats = begin(self, config=SMALL)
        streams(nats)
        nats.stream("OTHER", "other.>")
        worker = self.rig.start(MAX_DELIVERIES="1").ready()
        worker.says("subscribed to falco.error.*")
        nats.alert("slow", rule="slow 2")
        nats.alert("lost", rule="forbidden")
        nats.publish(*[("other.x", LARGE)] * 8)
        worker.says("insufficient")
        nats.call("STREAM.DELETE.OTHER")
        worker.ready()

        eventually(lambda: len(nats.messages("FALCO_DEAD")) == 1)
        eventually(nats.settled)

    with it("keeps flooding alerts from filling it, where its streams are those of the docs"):
        nats = begin(self, config=SMALL)
        streams(nats, max_bytes=1_000_000, max_msg_size=983_040, discard="old")
        worker = self.rig.start().ready().says("subscribed to falco.error.*")
        nats.publish(*[("falco.debug.nobody", LARGE)] * 300)
        nats.alert("critical")

        expect(self.rig.acted("critical")).to(equal(["critical"]))
        expect(worker.metric(REFUSE)).to(equal(0))


with description("A worker whose alerts are stored under other subjects") as self:
    with after.each:
        remove(self)

    with it("says so in its log and metric, until they come under their own"):
        mapped = 'mappings = { "falco.error.x": "falco.moved.x" }'
        nats = begin(self, "falco.error.x", config=mapped)
        worker = self.rig.start().ready().says("subscribed to falco.error.x")

        def publish():
            # Its rule is x, as its subject says.
            nats.publish(("falco.error.x", an_alert("a", rule="x")))
            return "alerts of topic falco.error.x are stored under falco.moved.x" in worker.log

        eventually(publish, every=0.3)
        expect(worker.metric(RENAMED)).to(equal(1))
        expect(worker.get("/readyz")[0]).to(equal(200))
        expect(self.rig.actions).to(equal([]))

    with it("says nothing where another topic has none of its alerts"):
        nats = begin(self, "falco.critical.*")
        worker = self.rig.start().ready().says("subscribed to falco.critical.*")
        for _ in range(8):
            nats.publish(("falco.error.x", an_alert("a", rule="x")))

        expect(worker.metric(RENAMED)).to(equal(0))
        expect(worker.log).not_to(contain("stored under"))


with description("A stream with subject_transform") as self:
    with after.each:
        remove(self)

    with it("is refused in plain words, until it has none"):
        nats = begin(self, program=SERVER)
        transform = {"src": "falco.>", "dest": "audit.falco.>"}
        nats.stream("FALCO", "falco.>", subject_transform=transform)
        worker = self.rig.start().says("stream FALCO renames subjects (falco.> to audit.falco.>)")
        before = worker.get("/readyz")
        config = nats.call("STREAM.INFO.FALCO")["config"]
        nats.call("STREAM.UPDATE.FALCO", {**config, "subject_transform": None})
        worker.ready().says("subscribed to falco.error.*")
        nats.alert("a")

        expect(before[0]).to(equal(503))
        expect(before[1]).to(contain("renames subjects"))
        expect(self.rig.acted("a")).to(equal(["a"]))


not_run_unless(CLUSTER, globals())
not_run_unless(program("nats-server"), globals())
not_run_unless(
    Condition(is_new(), "nats-server 2.10 or later, named by SPEC_NATS_SERVER"),
    globals(),
    title="subject_transform",
)
