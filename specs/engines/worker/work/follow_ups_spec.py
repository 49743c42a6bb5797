import asyncio
import io
import json
import time
from contextlib import redirect_stderr
from dataclasses import replace
from unittest.mock import patch

from expects import be_below, be_empty, contain, equal, expect, have_len
from mamba import before, description, it

from playbooks.core.errors import ClusterUnavailable, NotPermitted
from playbooks.core.outcome import FollowUp, Outcome, Status
from playbooks.core.redaction.redaction import Redaction
from playbooks.engines.runtime import Runtime
from playbooks.engines.worker.metrics import Metrics
from playbooks.engines.worker.work import follow_ups, outcomes
from playbooks.engines.worker.work.follow_ups import FollowUps
from playbooks.testing import a_document

BODY = json.dumps(a_document()).encode()
SO = Outcome(Status.LOOKED, "verified", "pod shop/web-0 is gone", "pod shop/web-0")


class FakeResponder:
    redaction = Redaction()


class FakeWriter:
    def __init__(self):
        self.seen = []

    async def write(self, body, outcome, *, event_id, unique):
        self.seen.append((outcome.reason, event_id, unique))


class Looks:
    """Gives one answer after the other; ``told`` is whether each was the last."""

    def __init__(self, *answers):
        self.answers, self.told = list(answers), []

    def __call__(self, last):
        self.told.append(last)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


with description("Looking at what became of an action") as self:
    with before.each:
        self.writer, self.metrics, self.log = FakeWriter(), Metrics("fake"), io.StringIO()

    def follow(self, *follow_ups, wait=0.0, seconds=5.0, busy=lambda: False):
        """Begin, and wait for the end of it."""
        done = Outcome.acted("pod shop/web-0", "done", "done")

        async def go():
            runtime = Runtime("fake", FakeResponder())
            looking = FollowUps(runtime, self.writer, self.metrics, wait, busy=busy)
            outcome = replace(done, follow_ups=follow_ups)
            looking.begin(BODY, outcome, event_id="FALCO:7", unique="FALCO-7-7")
            until = time.monotonic() + seconds
            while looking.left and time.monotonic() < until:
                await asyncio.sleep(0.001)
            looking.stop()

        with redirect_stderr(self.log):
            asyncio.run(go())

    def looked(self, reason):
        labels = {"playbook": "fake", "reason": reason}
        return self.metrics.registry.get_sample_value("playbook_follow_ups_total", labels) or 0

    with it("puts on record, logs and counts what it finds"):
        look = Looks(SO)
        self.follow(FollowUp(look))

        expect(look.told).to(equal([True]))
        expect(self.writer.seen).to(equal([("verified", "FALCO:7", "FALCO-7-7-follow-0")]))
        expect(json.loads(self.log.getvalue())).to(
            equal({**json.loads(self.log.getvalue()), "reason": "verified", "event_id": "FALCO:7"})
        )
        expect(self.looked("verified")).to(equal(1))

    with it("says nothing where nobody can tell"):
        self.follow(FollowUp(Looks(None)))

        expect((self.writer.seen, self.log.getvalue())).to(equal(([], "")))

    with it("does not look where that is off, unless it looks again and again"):
        once, often = Looks(SO), Looks(SO)
        self.follow(FollowUp(once), FollowUp(often, every=0.001, until=0.01), wait=None)

        expect((once.told, often.told)).to(equal(([], [False])))

    with it("looks until it finds something, the last time when the time is over"):
        found, never = Looks(None, None, SO), Looks(None)
        self.follow(FollowUp(found, every=0.001, until=5.0))
        self.follow(FollowUp(never, every=0.01, until=0.03))

        expect(found.told).to(equal([False, False, False]))
        expect(never.told[-1]).to(equal(True))
        expect(any(never.told[:-1])).to(equal(False))

    with it("looks again where the API server does not answer"):
        with patch.object(follow_ups, "PAUSE", 0.001):
            look = Looks(ClusterUnavailable("no answer"), SO)
            self.follow(FollowUp(look))

        expect([seen[0] for seen in self.writer.seen]).to(equal(["verified"]))

    with it("says that it is not known where it may not look, or cannot for long, or is wrong"):
        for error in (NotPermitted("may not"), ClusterUnavailable("away"), RuntimeError("odd")):
            with patch.object(follow_ups, "PATIENCE", -1.0):
                self.follow(FollowUp(Looks(error)))

        expect([seen[0] for seen in self.writer.seen]).to(equal(["not-known"] * 3))
        expect(self.log.getvalue()).to(contain("it is not known what became of it: may not"))
        expect(self.looked("not-known")).to(equal(3))

    with it("lets alerts go first, for a while"):
        busy = [True, True, False]
        look, often = Looks(SO), Looks(SO)
        with patch.object(outcomes, "LOOK", 0.001):
            self.follow(FollowUp(look), busy=lambda: busy.pop(0))
            self.follow(FollowUp(often, every=0.001, until=0.01), busy=lambda: 1 / 0)

        expect((busy, look.told, often.told)).to(equal(([], [True], [False])))

    with it("is late by no more than that where there is no end of alerts, however many they are"):
        looks = [Looks(SO) for _ in range(20)]
        began = time.monotonic()
        with patch.object(outcomes, "LOOK", 0.001), patch.object(outcomes, "YIELDS", 0.3):
            self.follow(*map(FollowUp, looks), seconds=5, busy=lambda: True)

        expect([look.told for look in looks]).to(equal([[True]] * 20))
        # One after the other, two at a time, they would take three seconds.
        expect(time.monotonic() - began).to(be_below(1.5))

    with it("waits for none of them, and names how many it leaves where the worker ends"):
        self.follow(FollowUp(Looks(SO), after=600.0), seconds=0.01)

        expect(self.writer.seen).to(be_empty)
        expect(self.log.getvalue()).to(contain("ends before it looked at what became of 1 actions"))

    with it("looks at no more than it has room for"):
        with patch.object(follow_ups, "MOST", 1):
            self.follow(FollowUp(Looks(SO)), FollowUp(Looks(SO)))

        expect(self.writer.seen).to(have_len(1))
        expect(self.looked("not-known")).to(equal(1))
