import asyncio
import contextlib
import io
import time

import nats
from expects import be_empty, contain, equal, expect, have_keys
from mamba import after, before, description, it

from playbooks.core.instant import Instant
from playbooks.core.redaction.redaction import Redaction
from playbooks.engines.worker.function import Function
from playbooks.engines.worker.metrics import Metrics
from playbooks.engines.worker.nats.delivery import Delivery, Origin
from playbooks.engines.worker.nats.jetstream import JetStream
from playbooks.engines.worker.operator.dead_letters import DeadLettersOf
from playbooks.engines.worker.work.dead_letters import DeadLetters
from playbooks.engines.worker.work.releases import Releases
from playbooks.engines.worker.work.verdict import Dead
from specs.engines.worker.rig import RELEASE_KEY, an_alert
from specs.support.conditions import CLUSTER, not_run_unless, program
from specs.support.loopback.nats_server import Nats

FUNCTION = Function("specs", "falco-fake", "uid-1")
HELD = Dead("budget-used-up", "the budget is used up", held=True, uid="pod-1")

# A user as earlier versions of the page about NATS have it.
EARLIER = """
authorization { users = [
  { user: admin, password: x }
  { user: worker, password: x, permissions: {
    publish: ["$JS.API.STREAM.LIST", "$JS.API.STREAM.MSG.GET.FALCO_DEAD",
      "$JS.API.STREAM.MSG.DELETE.FALCO_DEAD", "falco-dead.*"]
    subscribe: ["_INBOX.>"] } }
] }
"""


def a_delivery(sequence):
    origin = Origin("FALCO", sequence, Instant(sequence * 10**9), 1)
    return Delivery("falco.>", "falco.error.x", an_alert("a"), origin, None)


async def connected(server, user=""):
    url = f"nats://{user}{server.address}:{server.port}"
    connection = await nats.connect(url, connect_timeout=5)
    jetstream = JetStream(connection, max_age_hours=1, max_megabytes=8, replicas=1)
    letters = DeadLetters(jetstream, FUNCTION, "fake", 1024 * 1024, Metrics("fake"), Redaction())
    return connection, jetstream, letters


def run(use):
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        asyncio.run(use())
    return said.getvalue()


def headers(server):
    return [message["headers"] for message in server.messages("FALCO_DEAD")]


with description("Dead letters about one target") as self:
    with before.each:
        self.nats = Nats().start()

    with after.each:
        self.nats.remove()

    def write(self, *groups, replicas=1, dead=HELD):
        """Each of the groups by the next of the replicas, all at once."""

        async def use():
            workers = [await connected(self.nats) for _ in range(replicas)]
            calls = [
                workers[number % replicas][2].write(list(group), dead)
                for number, group in enumerate(groups)
            ]
            expect(set(await asyncio.gather(*calls))).to(equal({True}))
            for connection, _, _ in workers:
                await connection.close()

        return run(use)

    def listed(self, then=None):
        async def use():
            connection, jetstream, _ = await connected(self.nats)
            found = DeadLettersOf(jetstream, FUNCTION, by="alice", key=RELEASE_KEY)
            await found.open()
            self.found = [each async for each in found.all()]
            if then:
                self.done = [each async for each in then(found)]
            await connection.close()

        run(use)
        return self.found

    with it("are one, with their number, the first and the last, also after a restart"):
        self.write([a_delivery(1), a_delivery(2)])
        self.write([a_delivery(3)])

        (letter,) = headers(self.nats)
        expect(letter).to(
            have_keys(
                {
                    "Falco-Count": "3",
                    "Falco-Origin": "FALCO:3",
                    "Falco-First": str(Instant(10**9)),
                    "Falco-Last": str(Instant(3 * 10**9)),
                }
            )
        )

    with it("are one, and none is uncounted, where two replicas write them at once"):
        self.write(*([a_delivery(number)] for number in range(1, 41)), replicas=2)

        expect([letter["Falco-Count"] for letter in headers(self.nats)]).to(equal(["40"]))

    with it("are counted once where the acknowledgement of one is lost"):
        self.write([a_delivery(1)])
        self.write([a_delivery(1)])

        expect([letter["Falco-Count"] for letter in headers(self.nats)]).to(equal(["1"]))

    with it("are another one for another reason, target or Function"):
        self.write([a_delivery(1)])
        self.write([a_delivery(2)], dead=Dead("paused", "paused", held=True, uid="pod-1"))
        self.write([a_delivery(3)], dead=Dead("paused", "paused", held=True, uid="pod-2"))

        expect([letter["Falco-Count"] for letter in headers(self.nats)]).to(equal(["1"] * 3))

    with it("are written after one of a stranger's, whose count no number can be"):
        self.write([a_delivery(1)])
        (subject,) = [message["subject"] for message in self.nats.messages("FALCO_DEAD")]

        async def stranger(connection):
            await connection.publish(subject, b"", headers={"Falco-Count": "9" * 5000})

        self.nats.run(stranger)
        self.write([a_delivery(2)])

        expect([each.says("Count") for each in self.listed()]).to(equal(["2"]))

    with it("are counted anew once somebody redelivered or dropped the one that there was"):
        self.write([a_delivery(1), a_delivery(2)])
        (letter,) = self.listed()
        self.listed(lambda found: found.drop([letter.sequence], lambda _: None))
        self.write([a_delivery(3)])

        expect([each["Falco-Count"] for each in headers(self.nats)]).to(equal(["1"]))

    with it("are one for people where what it replaces could not be removed, and go together"):
        subject = FUNCTION.dead_letter(HELD.reason, f"uid {HELD.uid}")
        said = {"Falco-Function": "specs/falco-fake", "Falco-Function-Uid": "uid-1"}

        async def left(connection):
            await connection.jetstream().publish(subject, b"{}", headers=said)

        self.write([a_delivery(1)])
        self.nats.run(left)
        self.nats.run(left)

        expect([letter.sequence for letter in self.listed()]).to(equal([3]))
        self.listed(lambda found: found.redeliver([3]))
        expect(self.done[0]["status"]).to(equal("redelivered"))
        expect(self.listed()).to(be_empty)

    with it("are released once, by a signature that holds at the place where they are stored"):
        self.write([a_delivery(1)])
        (letter,) = self.listed()
        self.nats.stream("FALCO_INBOX", "falco-inbox.>")
        self.nats.publish(*[("falco-inbox.other", b"{}")] * 3)
        self.listed(lambda found: found.redeliver([letter.sequence]))
        expect(self.done).to(equal([{"id": 1, "status": "redelivered", "as": "FALCO_INBOX:4"}]))
        message = self.nats.messages("FALCO_INBOX")[3]

        def refusal(sequence):
            place = Origin("FALCO_INBOX", sequence, Instant(time.time_ns()), 1)
            releases = Releases(RELEASE_KEY, FUNCTION.uid)
            return releases.refusal(message["headers"], message["body"], place)

        expect(refusal(4)).to(equal(""))
        expect(refusal(5)).to(contain("forged or replayed"))

    with it("are listed beside those of an earlier version, in order, and of no other function"):

        async def earlier(connection):
            said = {"Falco-Function": "specs/falco-fake", "Falco-Function-Uid": "uid-1"}
            for subject in ("falco-dead.falco-fake", "falco-dead.falco-other.x"):
                await connection.jetstream().publish(subject, b"{}", headers=said)

        self.write([a_delivery(1)])
        self.nats.run(earlier)
        self.write([a_delivery(2)], dead=Dead("paused", "paused", uid="pod-2"))

        expect([letter.sequence for letter in self.listed()]).to(equal([1, 2, 4]))

    with it("are one each, and that is said, where the NATS user may not write counted ones"):
        self.nats.remove()
        self.nats = Nats(config=EARLIER, user="admin:x").start()
        self.nats.stream("FALCO_DEAD", "falco-dead.>")

        async def use():
            connection, _, letters = await connected(self.nats, user="worker:x@")
            for number in (1, 2):
                expect(await letters.write([a_delivery(number)], HELD)).to(equal(True))
            await connection.close()

        said = run(use)
        expect([each["Falco-Count"] for each in headers(self.nats)]).to(equal(["1", "1"]))
        expect(said).to(contain("may have to be let publish on falco-dead.falco-fake.*"))


# Needs no cluster, but a real NATS server.
not_run_unless(CLUSTER, globals())
not_run_unless(program("nats-server"), globals())
