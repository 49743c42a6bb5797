import asyncio
import dataclasses
import io
import json
import threading
import time
from concurrent.futures import Future
from contextlib import redirect_stderr
from dataclasses import replace
from types import SimpleNamespace
from unittest.mock import patch

from expects import be_below_or_equal, be_empty, contain, equal, expect, have_len, match
from mamba import before, description, it
from nats.js.api import PubAck, RawStreamMsg

from playbooks.core.alert import SHORT, Alert
from playbooks.core.errors import (
    ClusterUnavailable,
    ContainerIdPending,
    CredentialsRefused,
    GuardUnanswered,
    NotPermitted,
    SlackUnavailable,
)
from playbooks.core.instant import Instant
from playbooks.core.outcome import Outcome, TargetRef
from playbooks.core.redaction.redaction import Redaction
from playbooks.engines.runtime import Runtime
from playbooks.engines.worker.function import Function
from playbooks.engines.worker.metrics import Metrics
from playbooks.engines.worker.nats import delivery as deliveries
from playbooks.engines.worker.nats.delivery import Delivery, Origin
from playbooks.engines.worker.topics import Subscription
from playbooks.engines.worker.work import answering
from playbooks.engines.worker.work.answering import Answering
from playbooks.engines.worker.work.claims import Claims
from playbooks.engines.worker.work.dead_letters import DeadLetters
from playbooks.engines.worker.work.drops import Drops
from playbooks.engines.worker.work.queue import waiting
from playbooks.engines.worker.work.queue.outage import Outage
from playbooks.engines.worker.work.queue.turns import FairTurns
from playbooks.engines.worker.work.releases import RELEASED_BY, Releases
from playbooks.engines.worker.work.settlement import Settlement
from playbooks.engines.worker.work.work import Work
from playbooks.testing import a_document

DONE = Outcome.acted("pod shop/web-0", "done", "done")
BODY = json.dumps(a_document()).encode()


class FakeChannel:
    def __init__(self):
        self.said = []

    async def acknowledge(self):
        self.said.append("ack")

    async def give_back(self, delay):
        self.said.append(("back", delay))

    async def keep(self):
        self.said.append("keep")


class FakeJetStream:
    """``written``: origin and reason of the dead letters; ``counts``: alerts of those kept."""

    def __init__(self, error=None):
        self.written = []
        self.kept = {}
        self.error = error

    async def stream(self, wanted):
        return wanted.name

    async def last_message(self, stream, subject):
        found = [n for n, (of, _) in self.kept.items() if of == subject]
        return RawStreamMsg(seq=found[-1], headers=self.kept[found[-1]][1]) if found else None

    async def delete_message(self, stream, sequence):
        del self.kept[sequence]

    async def store(self, subject, body, headers, *, after=None):
        if self.error:
            raise self.error
        self.written.append((headers["Falco-Origin"], headers["Falco-Reason"]))
        sequence = len(self.written)
        self.kept[sequence] = (subject, headers)
        return PubAck(stream="FALCO_DEAD", seq=sequence)

    @property
    def counts(self):
        return [int(headers["Falco-Count"]) for _, headers in self.kept.values()]


class FakeResponder:
    """Answers by a function, with ``released_by`` where somebody did."""

    redaction, recorders = Redaction(), ()

    def __init__(self, answer, acts=False):
        self._answer = answer
        self.acts = acts

    def refusal(self, alert, received):
        return Outcome.skipped("rule-not-listed", "no") if alert.rule == "unlisted" else None

    def seen(self, alert):
        return ()

    def answer(self, body, arrival):
        return self._answer(body, arrival.released_by)


class FakeWriter:
    """``seen``: origin, unique name, status and reason of each."""

    def __init__(self):
        self.seen = []

    async def write(self, body, outcome, *, event_id, unique):
        self.seen.append((event_id, unique, str(outcome.status), outcome.reason))


class FakeReplies:
    def __init__(self):
        self.sent = []

    async def send(self, delivery, outcome):
        self.sent.append((str(delivery.origin), outcome.reason))


RELEASES = Releases("a-key-of-some-length", "uid-1")


def a_delivery(
    sequence=1, number=1, topic="falco.>", durable=True, headers=None, uid="", **changes
):
    origin = Origin("FALCO", sequence, Instant(sequence), number)
    channel = FakeChannel()
    fields = {"k8s.ns.name": "shop", "k8s.pod.name": "web-0", "k8s.pod.uid": uid or "uid-1"}
    document = a_document(output_fields=fields, **changes)
    body = json.dumps(document).encode()
    return Delivery(topic, "falco.error.x", body, origin, channel, headers or {}, durable)


def a_release(sequence, topic=""):
    delivery = a_delivery(sequence, topic=topic)
    origin = delivery.origin
    headers = RELEASES.signed(
        "alice", delivery.body, stream=origin.stream, sequence=sequence, now=origin.stored
    )
    return dataclasses.replace(delivery, headers=headers)


class FakeFollowUps:
    def __init__(self):
        self.begun = []

    def begin(self, body, outcome, *, event_id, unique):
        self.begun.append((outcome.reason, event_id, unique))

    def stop(self):
        self.begun.append("stopped")


class UnderWay:
    """Answers that have begun, and go on until they may end."""

    def __init__(self):
        self._begun = []
        self._end = threading.Event()

    def __call__(self):
        self._begun.append(True)
        self._end.wait(5)
        return DONE

    async def begun(self, count):
        while len(self._begun) < count:
            await asyncio.sleep(0.001)

    def end(self):
        self._end.set()


class Bench:
    """Work with fakes around it. ``answers``: outcomes or errors in turn, or a function."""

    def __init__(self, *answers, api=(True,), letters=None, concurrency=4, most=5, **given):
        self.acts = given.get("acts", False)
        self.answers = list(answers) or [DONE]
        self.answered = 0
        self.api = list(api)
        self.letters = letters or FakeJetStream()
        self.replies = FakeReplies()
        self.writer = FakeWriter()
        self.concurrency, self.most = concurrency, most
        self.follow_ups = FakeFollowUps()
        self.topics = given.get("topics") or [Subscription("falco.>", Instant(0))]
        self.metrics = Metrics("fake")
        self.log = io.StringIO()
        self.dead_letters = None
        self.learned = given.get("learned") or (lambda claim: None)

    def answer(self, body, released_by=""):
        self.answered += 1
        self.released_by = released_by
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if callable(answer):
            answer = answer()
        return Outcome.failed(answer) if isinstance(answer, Exception) else answer

    async def missing(self):
        there = self.api.pop(0) if len(self.api) > 1 else self.api[0]
        return "" if there else "away"

    def run(self, use):
        async def go():
            outage = Outage(self.missing, lambda why, before: None, 0.001)
            function = Function("shop", "falco-fake", "uid-1")
            letters = self.dead_letters = self.dead_letters or DeadLetters(
                self.letters, function, "fake", 10**6, self.metrics, Redaction()
            )
            runtime = Runtime("fake", FakeResponder(self.answer, self.acts))
            turns, claims = FairTurns(self.concurrency), Claims(self.metrics)
            work = Work(
                subscriptions=lambda: self.topics,
                releases=RELEASES,
                drops=Drops("fake", Redaction(), self.metrics),
                answering=Answering(
                    runtime,
                    turns=turns,
                    outage=outage,
                    claims=claims,
                    writer=self.writer,
                    metrics=self.metrics,
                    most=self.most,
                    learned=self.learned,
                ),
                settlement=Settlement(
                    runtime,
                    outage=outage,
                    claims=claims,
                    dead_letters=letters,
                    replies=self.replies,
                    writer=self.writer,
                    follow_ups=self.follow_ups,
                    metrics=self.metrics,
                ),
            )
            try:
                return await use(work)
            finally:
                await outage.close()

        with redirect_stderr(self.log):
            return asyncio.run(go())

    def take(self, *deliveries):
        """Take them all, one after the other, and return what their channels were told."""

        async def use(work):
            for delivery in deliveries:
                freed = asyncio.Event()
                work.take(delivery, freed.set)
                await asyncio.wait_for(freed.wait(), 5)
                while delivery in work.answering.claims._claims:
                    await asyncio.sleep(0.005)

        self.run(use)
        return [delivery.channel.said for delivery in deliveries]

    def take_together(self, *deliveries):
        """Take them all at once, and return what their channels were told."""

        async def use(work):
            left, over = [len(deliveries)], asyncio.Event()

            def freed():
                left[0] -= 1
                if not left[0]:
                    over.set()

            for delivery in deliveries:
                work.take(delivery, freed)
            await asyncio.wait_for(over.wait(), 5)

        self.run(use)
        return [delivery.channel.said for delivery in deliveries]

    def sample(self, name, **labels):
        return self.metrics.registry.get_sample_value(name, {"playbook": "fake", **labels}) or 0


with description("The work on a message") as self:
    with it("ends with its acknowledgement, once the outcome is known"):
        bench = Bench()

        expect(bench.take(a_delivery())).to(equal([["ack"]]))

    with it("reads a long alert in a thread, as it would keep the loop from turning"):
        readers = []

        def parse(body):
            readers.append(threading.current_thread())
            return Alert.parse(body)

        reading = patch.object(deliveries, "Alert", SimpleNamespace(parse=parse))
        with reading:
            Bench().take(a_delivery(output="x" * 2 * SHORT))

        expect(readers).to(have_len(1))
        expect(readers).not_to(contain(threading.main_thread()))

    with it("puts it on record once it is final, and not at every try"):
        bench = Bench(SlackUnavailable("not now"), DONE)
        bench.take(a_delivery(7, number=1), a_delivery(7, number=2))

        expect(bench.writer.seen).to(equal([("FALCO:7", "FALCO-7-7", "acted", "done")]))

    with it("looks later at what became of it, once that is on record"):
        bench = Bench(SlackUnavailable("not now"), DONE)
        bench.take(a_delivery(7, number=1), a_delivery(7, number=2))

        # One that is tried again has the looks at what acted on the way.
        expect(bench.follow_ups.begun).to(
            equal(
                [
                    ("slack-unavailable", "FALCO:7", "FALCO-7-7-1"),
                    ("done", "FALCO:7", "FALCO-7-7-2"),
                ]
            )
        )

    with it("puts on record what it gives up, also where its deliveries are used up"):
        bench = Bench(NotPermitted("may not"))
        bench.take(a_delivery(7), a_delivery(8, number=6))

        expect([seen[2:] for seen in bench.writer.seen]).to(
            equal([("failed", "not-permitted"), ("failed", "deliveries-exhausted")])
        )

    with it("puts it on record before it is acknowledged"):
        bench, delivery = Bench(), a_delivery()
        before = []

        async def write(*given, **named):
            before.extend(delivery.channel.said or ["nothing"])

        bench.writer.write = write
        bench.take(delivery)

        expect(before).to(equal(["nothing"]))
        expect(bench.answered).to(equal(1))

    with it("writes one line an outcome, with the delivery"):
        bench = Bench()
        bench.take(a_delivery(17))
        line = json.loads(bench.log.getvalue())

        expect(line["event_id"]).to(equal("FALCO:17"))
        expect(line["details"]["delivery"]).to(equal(1))

    with it("gives it back for later where it may succeed then"):
        bench = Bench(SlackUnavailable("no"))

        expect(bench.take(a_delivery(), a_delivery(number=3))).to(
            equal([[("back", 1.0)], [("back", 16.0)]])
        )

    with it("writes a dead letter before the acknowledgement"):
        bench = Bench(NotPermitted("no"))

        expect(bench.take(a_delivery())).to(equal([["ack"]]))
        expect(bench.letters.written).to(equal([("FALCO:1", "not-permitted")]))
        expect(
            bench.sample("playbook_dead_letters_total", reason="not-permitted", held="false")
        ).to(equal(1))

    with it("keeps what a guard holds with the dead letters, at once"):
        bench = Bench(Outcome.skipped("paused", "paused by alice", held=True))

        expect(bench.take(a_delivery())).to(equal([["ack"]]))
        expect(bench.letters.written).to(equal([("FALCO:1", "paused")]))
        expect(bench.log.getvalue()).to(contain("is held and kept as a dead letter"))

    with it("tells the playbook who released it, which only the inbox may say"):
        bench = Bench()
        for sequence, topic, by in ((3, "", "alice"), (4, "falco.>", "")):
            bench.take(a_release(sequence, topic=topic))

            expect((topic, bench.released_by)).to(equal((topic, by)))

    with it("answers as any alert what only says that somebody released it, and says why"):
        bench = Bench()
        forged = a_delivery(3, topic="", headers={RELEASED_BY: "alice"})
        replayed = a_delivery(5, topic="", headers=a_release(4).headers)
        bench.take(forged, replayed)

        expect((bench.answered, bench.released_by)).to(equal((2, "")))
        expect(bench.log.getvalue()).to(
            contain(
                "FALCO:3 is no release by alice, but an alert as any: it is not signed",
                "FALCO:5 is no release by alice, but an alert as any: its signature is not that",
            )
        )

    with it("does not acknowledge where the dead letter was not stored"):
        bench = Bench(NotPermitted("no"), letters=FakeJetStream(OSError("NATS is away")))

        expect(bench.take(a_delivery())).to(equal([[("back", 30.0)]]))

    with it("does not try one again that ended without an outcome too often"):
        bench = Bench()

        expect(bench.take(a_delivery(number=6))).to(equal([["ack"]]))
        expect(bench.answered).to(equal(0))
        expect(bench.letters.written).to(equal([("FALCO:1", "deliveries-exhausted")]))
        outcome, letter = (json.loads(line) for line in bench.log.getvalue().splitlines())
        expect((outcome["status"], outcome["reason"], outcome["details"]["dead_letter"])).to(
            equal(("failed", "deliveries-exhausted", True))
        )
        expect({line["event_id"] for line in (outcome, letter)}).to(equal({"FALCO:1"}))

    with it("is done once, also when the message comes again"):
        bench = Bench()

        expect(bench.take(a_delivery(), a_delivery(number=2))).to(equal([["ack"], ["ack"]]))
        expect(bench.answered).to(equal(1))
        expect(bench.sample("playbook_dropped_total", reason="done")).to(equal(1))

    with it("is done once, also when the message comes again meanwhile"):
        slow = UnderWay()
        bench = Bench(slow)

        async def use(work):
            work.take(a_delivery())
            await slow.begun(1)
            freed = asyncio.Event()
            work.take(a_delivery(number=2), freed.set)
            asyncio.get_running_loop().call_later(0.02, slow.end)
            await asyncio.wait_for(freed.wait(), 5)

        bench.run(use)

        expect(bench.answered).to(equal(1))

    with it("is left to the older topic where two want it"):
        topics = [Subscription("falco.error.*", Instant(0)), Subscription("falco.>", Instant(1))]
        bench = Bench(topics=topics)
        bench.take(a_delivery(5, topic="falco.>"), a_delivery(5, topic="falco.error.*"))

        expect(bench.answered).to(equal(1))
        expect(bench.sample("playbook_dropped_total", reason="other-topic")).to(equal(1))

    with it("does not begin for what nobody wants, and acknowledges it"):
        bench = Bench(topics=[Subscription("falco.debug.*", Instant(0))])

        expect(bench.take(a_delivery())).to(equal([["ack"]]))
        expect(bench.answered).to(equal(0))

    with it("does not ask for a topic in the function's own inbox, and sends the outcome"):
        bench = Bench(topics=[])
        bench.take(a_delivery(topic=""))

        expect(bench.replies.sent).to(equal([("FALCO:1", "done")]))

    with it("says what is lost without JetStream"):
        bench = Bench(NotPermitted("no"))
        bench.take(a_delivery(durable=False))

        expect(bench.letters.written).to(be_empty)
        expect(bench.log.getvalue()).to(contain("lost, without JetStream"))

with description("While the API server is away") as self:
    with it("a message waits, and it costs no delivery"):
        away = ClusterUnavailable("away")
        bench = Bench(away, away, DONE, api=(False, False, True, False, True))

        expect(bench.take(a_delivery(number=5))).to(equal([["ack"]]))
        expect(bench.answered).to(equal(3))
        expect(bench.letters.written).to(be_empty)

    with it("nothing is answered"):
        bench = Bench(ClusterUnavailable("away"), api=(False,))

        async def use(work):
            deliveries = [a_delivery(n) for n in range(50)]
            for delivery in deliveries:
                work.take(delivery)
            await asyncio.sleep(0.1)
            answered = bench.answered
            await work.stop(1)
            return answered, [delivery.channel.said for delivery in deliveries]

        answered, said = bench.run(use)

        expect(answered).to(be_below_or_equal(4))
        expect(said).to(equal([[("back", 0)]] * 50))

    with it("a dead letter that cannot be stored waits with its alert"):
        letters = FakeJetStream(OSError("no stream"))
        bench = Bench(NotPermitted("no"), letters=letters, api=(False, False, True))

        async def use(work):
            delivery, freed = a_delivery(number=5), asyncio.Event()
            work.take(delivery, freed.set)
            await asyncio.sleep(0.0005)
            letters.error = None
            await asyncio.wait_for(freed.wait(), 5)
            return delivery.channel.said

        expect(bench.run(use)).to(equal(["ack"]))
        expect(letters.written).to(have_len(1))

    with it("so do alerts while the account is refused, or the ledger cannot be read"):
        for error in (CredentialsRefused("401"), GuardUnanswered("no ledger")):
            bench = Bench(error, error, DONE, api=(False, False, True, False, True))

            expect(bench.take(a_delivery(number=5))).to(equal([["ack"]]))
            expect((bench.answered, bench.letters.written)).to(equal((3, [])))

with description("What is over a limit that slides") as self:

    def over(self, *, first=False, seconds=0.01, reason="owner-limit"):
        return replace(
            Outcome.skipped(
                reason, "1 of 1", "pod shop/web-0", held=True, waits=seconds, first=first
            ),
            target_ref=TargetRef("delete", "Pod", "web-0", "shop", "uid-1"),
        )

    with it("waits and is asked again by itself, and that costs no delivery"):
        bench = Bench(self.over(), self.over(), DONE)

        expect(bench.take(a_delivery(number=5))).to(equal([["ack"]]))
        expect(bench.answered).to(equal(3))
        expect(bench.letters.written).to(be_empty)

    with it("is a line of the log once, with the time, and on record where it is the first"):
        bench = Bench(self.over(first=True), self.over(), DONE)
        bench.take(a_delivery(7))
        lines = [json.loads(line) for line in bench.log.getvalue().splitlines()]

        expect([(line["reason"], line["details"].get("again_in")) for line in lines]).to(
            equal([("owner-limit", 0.0), ("done", None)])
        )
        expect([line["held"] for line in lines]).to(equal([False, False]))
        ended = lines[1]
        expect(ended["details"]["waited_for"]).to(equal("owner-limit"))
        expect(ended["details"]["waited"]).to(be_below_or_equal(20))
        expect(ended["why"][0]).to(match(r"waited \d.* in this worker: owner-limit"))
        expect(bench.writer.seen).to(
            equal(
                [
                    ("FALCO:7", "FALCO-7-7-waits", "skipped", "owner-limit"),
                    ("FALCO:7", "FALCO-7-7", "acted", "done"),
                ]
            )
        )

    with it("ends as its target does meanwhile"):
        bench = Bench(self.over(), Outcome.skipped("pod-gone", "gone"))

        expect(bench.take(a_delivery())).to(equal([["ack"]]))
        expect(bench.letters.written).to(be_empty)
        ended = json.loads(bench.log.getvalue().splitlines()[-1])
        expect((ended["reason"], ended["details"]["waited_for"])).to(
            equal(("pod-gone", "owner-limit"))
        )

    with it("keeps no place of those that are taken, so that others are answered meanwhile"):
        bench, freed = Bench(self.over(seconds=60.0)), []

        async def use(work):
            delivery = a_delivery()
            work.take(delivery, lambda: freed.append(delivery))
            while not freed:
                await asyncio.sleep(0.01)
            said = list(delivery.channel.said)
            expect(bench.sample("playbook_waiting")).to(equal(1))
            await work.stop(1)
            expect(bench.sample("playbook_waiting")).to(equal(0))
            return said, delivery.channel.said

        expect(bench.run(use)).to(equal(([], [("back", 5.0)])))
        expect(freed).to(have_len(1))

    with it("is held for a person where there is no room for more that wait"):
        bench = Bench(self.over(seconds=60.0))

        async def use(work):
            deliveries = [a_delivery(n) for n in range(1, waiting.MOST + 2)]
            for delivery in deliveries:
                work.take(delivery)
            while len(bench.letters.written) < waiting.MOST // 2 + 1:
                await asyncio.sleep(0.01)
            await work.stop(1)
            return [delivery.channel.said for delivery in deliveries]

        said = bench.run(use)

        expect(said.count(["ack"])).to(equal(waiting.MOST // 2 + 1))
        expect(said.count([("back", 5.0)])).to(equal(waiting.MOST // 2))
        expect({reason for _, reason in bench.letters.written}).to(equal({"owner-limit"}))
        lines = [json.loads(line) for line in bench.log.getvalue().splitlines()]
        outcomes = [line for line in lines if "status" in line]
        expect({(o["held"], "dead_letter" in o["details"]) for o in outcomes}).to(
            equal({(True, True), (False, False)})
        )

with description("A container that the API server does not know yet") as self:
    with before.each:
        self.asked = []

    def learned(self, *, known):
        def ask(claim):
            self.asked.append(claim.pod)
            future = Future()
            if known:
                threading.Timer(0.05, future.set_result, [None]).start()
            return future

        return ask

    with it("is waited for, and the alert answered as soon as it is known"):
        bench = Bench(ContainerIdPending("not yet"), DONE, learned=self.learned(known=True))

        expect(bench.take(a_delivery())).to(equal([["ack"]]))
        expect((self.asked, bench.answered)).to(equal((["web-0"], 2)))

    with it("is asked for again by another delivery where nobody hears of it in time"):
        # A busy machine may take longer than that until the alert is answered first.
        for seconds in (0.1, 1.0, 5.0):
            with patch.object(answering, "LEARNING", seconds):
                bench = Bench(ContainerIdPending("not yet"), learned=self.learned(known=False))
                told = bench.take(a_delivery())
            if self.asked:
                break
        expect((told, self.asked, bench.answered)).to(equal(([[("back", 0.5)]], ["web-0"], 1)))

    with it("is asked for again by another delivery where nothing is watched"):
        bench = Bench(ContainerIdPending("not yet"))

        expect(bench.take(a_delivery())).to(equal([[("back", 0.5)]]))

with description("Alerts about one target that wait together") as self:
    with it("are answered by one decision, and acknowledged once it is final"):
        bench = Bench(SlackUnavailable("later"), DONE, acts=True, concurrency=1)
        first = bench.take_together(*[a_delivery(n) for n in range(20)])
        again = [a_delivery(n, number=2) for n in range(20)]
        second = bench.take_together(*again)

        expect((first, second)).to(equal(([[("back", 1.0)]] * 20, [["ack"]] * 20)))
        expect(bench.answered).to(equal(2))
        skipped = {"status": "skipped", "reason": "answered-together"}
        expect(bench.sample("playbook_outcomes_total", **skipped)).to(equal(19))
        expect(bench.writer.seen).to(have_len(1))

    with it("say so, and an acknowledgement more is no action more"):
        bench = Bench(DONE, acts=True)
        bench.take_together(*[a_delivery(n, topic="") for n in range(3)])

        reasons = [reason for _, reason in bench.replies.sent]
        expect(reasons).to(equal(["done", "answered-together", "answered-together"]))
        line = json.loads(bench.log.getvalue())
        expect(line["details"]["answered_along"]).to(equal(2))

    with it("are decided by the most urgent one, the newest of these"):
        bench = Bench(DONE, acts=True, concurrency=1)
        bench.take_together(
            a_delivery(9, uid="other"),
            a_delivery(1, priority="Notice"),
            a_delivery(2, priority="Critical"),
            a_delivery(3, priority="Critical", time="2026-01-02T03:04:06.0Z"),
            a_delivery(4, priority="Error"),
        )

        expect([seen[0] for seen in bench.writer.seen]).to(equal(["FALCO:9", "FALCO:3"]))

    with it("are one dead letter where they are held, with their number, and grow it"):
        held = Outcome.skipped("paused", "paused", held=True)
        bench = Bench(held, acts=True)
        bench.take_together(*[a_delivery(n) for n in range(300)])
        bench.take_together(*[a_delivery(n) for n in range(1000, 1300)])

        expect(bench.letters.counts).to(equal([600]))

    with it("are not joined by one that a guard refuses, nor by one that a person released"):
        bench = Bench(DONE, acts=True)
        bench.take_together(
            a_delivery(1),
            a_delivery(2, rule="unlisted"),
            a_release(3),
        )

        expect(bench.answered).to(equal(3))

    with it("are handed back together at the end, where they were not begun"):
        slow = UnderWay()
        bench = Bench(slow, acts=True, concurrency=1)

        async def use(work):
            deliveries = [a_delivery(0, uid="other"), *[a_delivery(n) for n in range(1, 5)]]
            for delivery in deliveries:
                work.take(delivery)
            await slow.begun(1)
            asyncio.get_running_loop().call_later(0.02, slow.end)
            await work.stop(5)
            return [delivery.channel.said for delivery in deliveries]

        expect(bench.run(use)).to(equal([["ack"], *[[("back", 0)]] * 4]))

with description("The pool of threads") as self:
    with it("answers so many at the same time, and no more"):
        inside, most, lock = [0], [0], threading.Lock()

        def busy():
            with lock:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            time.sleep(0.01)
            with lock:
                inside[0] -= 1
            return DONE

        bench = Bench(busy, concurrency=3)

        async def use(work):
            for number in range(30):
                work.take(a_delivery(number))
            while bench.answered < 30:
                await asyncio.sleep(0.01)

        bench.run(use)

        expect(most).to(equal([3]))

with description("At the end") as self:
    with it("what is under way is finished, and the rest is handed back"):
        slow = UnderWay()
        bench = Bench(slow, concurrency=2)

        async def use(work):
            deliveries = [a_delivery(n) for n in range(5)]
            for delivery in deliveries:
                work.take(delivery)
            await slow.begun(2)
            asyncio.get_running_loop().call_later(0.02, slow.end)
            await work.stop(5)
            late = a_delivery(9)
            work.take(late)
            await asyncio.sleep(0.01)
            return [delivery.channel.said for delivery in (*deliveries, late)]

        said = bench.run(use)

        expect(said).to(equal([["ack"]] * 2 + [[("back", 0)]] * 4))

    with it("what does not end in time is handed back too"):
        hanging = UnderWay()
        bench = Bench(hanging)

        async def use(work):
            delivery = a_delivery()
            work.take(delivery)
            await hanging.begun(1)
            await work.stop(0.05)
            said = list(delivery.channel.said)
            hanging.end()
            return said

        expect(bench.run(use)).to(equal([("back", 0)]))

with description("The metrics of the work") as self:
    with it("are those of Kubeless, and outcomes by playbook and reason"):
        bench = Bench(DONE, NotPermitted("no"))
        bench.take(a_delivery(1), a_delivery(2), a_delivery(2, number=2))
        page = bench.metrics.page().decode()

        expect(page).to(contain('function_calls_total{method="NATS"} 2.0'))
        expect(page).to(contain('function_failures_total{method="NATS"} 1.0'))
        expect(page).to(contain('function_duration_seconds_count{method="NATS"} 2.0'))
        expect(bench.sample("playbook_outcomes_total", status="acted", reason="done")).to(equal(1))
        expect(bench.sample("playbook_alert_to_action_seconds_count")).to(equal(1))

    with it("count what is delivered again"):
        bench = Bench(SlackUnavailable("no"))
        bench.take(a_delivery(number=1), a_delivery(number=2))

        expect(bench.sample("playbook_redeliveries_total")).to(equal(1))

    with it("say whether alerts are taken in"):
        bench, missing = Bench(), ["the connection to NATS is lost", None]
        bench.metrics.ready.set_function(lambda: not missing.pop(0))

        expect([bench.sample("playbook_ready"), bench.sample("playbook_ready")]).to(equal([0, 1]))

    with it("have no series of their creation"):
        expect(Bench().metrics.page().decode()).not_to(contain("_created"))

with description("A message that hangs on an error of ours") as self:
    with it("is left to the server, which delivers it again"):

        class Broken(FakeChannel):
            async def acknowledge(self):
                raise OSError("closed")

        origin = Origin("FALCO", 1, Instant(1), 1)
        delivery = Delivery("falco.>", "falco.error.x", BODY, origin, Broken())
        bench = Bench()

        expect(bench.take(delivery)).to(have_len(1))
        expect(bench.log.getvalue()).to(contain("left to the server"))
