import asyncio
import json

from expects import be_below, be_false, be_true, contain, equal, expect, have_len
from mamba import before, description, it

from playbooks.core.instant import Instant
from playbooks.core.outcome import Outcome
from playbooks.engines.worker.nats.jetstream import ApiError
from playbooks.engines.worker.operator.inspection import AlertCounts, Bounds, summary
from playbooks.testing import NOW, a_document

# What a server answers where a consumer of the name is there.
TAKEN = {"code": 400, "description": "max waiting can not be updated"}

EVERYTHING = Bounds(Instant(0))


class FakeJetStream:
    """``taken``: names of consumers that somebody else has. ``refusal``: what it then answers."""

    readers = ("reader-0", "reader-1")

    def __init__(self, *taken, refusal=TAKEN):
        self.taken, self.refusal = taken, refusal
        self.made = []
        self.deleted = []

    async def add_consumer(self, stream, config):
        if config.name in self.taken:
            raise ApiError(self.refusal)
        self.made.append((stream, config.as_dict()))

    async def delete_consumer(self, stream, name):
        self.deleted.append(name)


class Message:
    def __init__(self, reply, subject, data):
        self.reply, self.subject, self.data = reply, subject, data


class FakeConnection:
    """Has messages of a stream: sequences, seconds, subjects and bodies. ``asked``: requests;
    ``sent``: bytes of each answer."""

    max_payload = 1024

    def __init__(self, *messages):
        self.left = list(messages)
        self.asked = []
        self.sent = []
        self.ready = []

    def new_inbox(self):
        return "_INBOX.1"

    async def subscribe(self, inbox):
        return self

    async def unsubscribe(self):
        pass

    async def publish(self, subject, body, reply):
        wanted = json.loads(body)
        self.asked.append(subject)
        self.sent.append(0)
        for _ in range(min(wanted["batch"], len(self.left))):
            if self.sent[-1] + len(self.left[0][3]) > wanted["max_bytes"]:
                self.ready.append(Message("", reply, b""))
                return
            sequence, seconds, subject, data = self.left.pop(0)
            self.sent[-1] += len(data)
            where = f"{sequence}.{sequence}.{seconds * 10**9}.{len(self.left)}"
            self.ready.append(Message(f"$JS.ACK.FALCO.c.1.{where}", subject, data))
        if not self.ready:
            self.ready.append(Message("", reply, b""))

    async def next_msg(self, timeout):
        return self.ready.pop(0)


def alert(**changes):
    return json.dumps(a_document(**changes)).encode()


def fields(**given):
    return alert(output_fields={"k8s.ns.name": "shop", "k8s.pod.name": "web-0", **given})


with description("What the alerts of a stream say about their pods") as self:
    with before.each:
        self.jetstream = FakeJetStream()

    def found(self, *messages, last=None, topics=("falco.>",), bounds=EVERYTHING, refusal=None):
        self.connection = FakeConnection(*messages)
        newest = messages[-1][0] if messages and last is None else (last or 0)
        counts = AlertCounts(refusal)
        return asyncio.run(
            summary(self.connection, self.jetstream, "FALCO", newest, topics, bounds, counts)
        )

    with it("is counted: with an id, without one by rule, about no pod, and no alert at all"):
        counted = AlertCounts()
        for body in (
            fields(**{"k8s.pod.uid": "u-1"}),
            fields(**{"container.id": "3ad7b26ded6d"}),
            fields(),
            fields(**{"container.id": "nonsense"}),
            fields(**{"container.id": "host"}),
            alert(output_fields={}),
            b"nonsense",
        ):
            counted.add(body, NOW)
        said = counted.to_dict()

        expect((said["read"], said["identified"], said["about_none"], said["invalid"])).to(
            equal((7, 2, 2, 1))
        )
        expect(list(said["unidentified"].values())).to(equal([2]))
        expect(sum(said["hosts"].values())).to(equal(6))

    with it("names a topic whose alerts are stored under other subjects, and no other"):
        topics = ("falco.error.*", "falco.critical.*")
        renamed = alert(priority="Error")
        found = self.found((1, 1, "falco.moved.a", renamed), topics=topics)
        served = self.found((1, 1, "falco.error.a", renamed), topics=topics)

        expect(found.to_dict()["renamed"]).to(equal({"falco.error.*": "falco.moved.a"}))
        expect(served.to_dict()["renamed"]).to(equal({}))

    with it("is read by a consumer of its own, which is removed and acknowledges nothing"):
        self.found((1, 1, "falco.error.x", fields()))
        ((stream, config),) = self.jetstream.made

        expect((stream, config["filter_subject"])).to(equal(("FALCO", "falco.>")))
        expect(config["ack_policy"]).to(equal("none"))
        expect(list(config)).not_to(contain("durable_name"))
        expect(self.jetstream.deleted).to(equal([config["name"]]))

    with it("is read under one of the names that its NATS user may have, which is free"):
        for taken, expected in ((("reader-0",), "reader-1"), (("reader-1",), "reader-0")):
            self.jetstream = FakeJetStream(*taken)
            self.found((1, 1, "falco.error.x", fields()))

            expect(self.jetstream.deleted).to(equal([expected]))

    with it("is read under another name where a server says of a taken one that it cannot change"):
        refusal = {"code": 500, "err_code": 10012, "description": "start time can not be updated"}
        for _ in range(8):  # The order is random.
            self.jetstream = FakeJetStream("reader-0", refusal=refusal)
            self.found((1, 1, "falco.error.x", fields()))

            expect(self.jetstream.deleted).to(equal(["reader-1"]))

    with it("is read in batches, until nothing is left"):
        many = [(n, 1, "falco.error.x", fields()) for n in range(1, 601)]

        expect(self.found(*many).read).to(equal(600))
        expect(self.connection.asked).to(have_len(3))

    with it("is read by so many bytes that no server hangs up, and names hosts by a few letters"):
        large = alert(hostname="h" * 3 * 2**20)
        read = self.found(*[(n, 1, "falco.error.x", large) for n in range(1, 31)])

        expect((read.read, read.hosts)).to(equal((30, {"h" * 200: 30})))
        expect(max(self.connection.sent)).to(be_below(2**24))

    with it("is that of the topics' alerts alone, and of those since a time"):
        since = Bounds(Instant(5 * 10**9))
        read = self.found(
            (1, 4, "falco.error.x", fields()),
            (2, 5, "falco.error.x", fields()),
            (3, 6, "falco.notice.x", fields()),
            topics=("falco.error.*",),
            bounds=since,
        )

        expect(read.read).to(equal(1))
        expect(read.cut).to(be_false)

    with it("is that of the newest, and says where there may be more"):
        read = self.found((8, 9, "falco.error.x", fields()), last=10, bounds=Bounds(Instant(0), 3))

        expect(self.jetstream.made[0][1]["opt_start_seq"]).to(equal(8))
        expect(read.cut).to(be_true)

    with it("says so where time was up"):
        many = [(n, 1, "falco.error.x", fields()) for n in range(1, 601)]
        read = self.found(*many, bounds=Bounds(Instant(0), seconds=-1.0))

        expect(read.cut).to(be_true)
        expect(read.read).to(be_below(600))

    with it("is nothing of an empty stream"):
        expect(self.found().read).to(equal(0))
        expect(self.jetstream.made).to(equal([]))

    with it("counts what the guards refuse by reason, at the time at which each was stored"):
        asked = []

        def refusal(alert, stored):
            asked.append(stored.seconds)
            if alert.rule == "broken":
                raise ValueError("no answer")
            if alert.rule == "R":
                return Outcome.skipped("rule-not-listed", "rule 'R' is none of RULES (Q)")
            return None

        read = self.found(
            (1, 4, "falco.error.x", alert(rule="R")),
            (2, 5, "falco.error.x", alert(rule="R")),
            (3, 6, "falco.error.x", alert(rule="Q")),
            (4, 7, "falco.error.x", alert(rule="broken")),
            refusal=refusal,
        ).to_dict()

        expect(asked).to(equal([4, 5, 6, 7]))
        expect((read["passed"], read["refused"])).to(equal((1, {"rule-not-listed": 2})))
        expect(read["words"]).to(equal({"rule-not-listed": "rule 'R' is none of RULES (Q)"}))
