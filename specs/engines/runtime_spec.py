import io
import json
from contextlib import redirect_stderr

from expects import be, contain, equal, expect, have_len
from mamba import before, description, it

from playbooks.core.errors import Conflict, InvalidAlert, InvalidSetting, NotPermitted, Unexpected
from playbooks.core.outcome import Outcome
from playbooks.core.playbook import Playbook
from playbooks.core.ports import Collaborators
from playbooks.core.reaction import Reaction
from playbooks.core.responder import Responder
from playbooks.core.settings import Setting, whole_number
from playbooks.engines.runtime import Event, Intent, Runtime, handle
from playbooks.testing import FakeOwnPod, FakeReaction, FixedClock, a_document

DONE = Outcome.acted("pod shop/web-0", "done", "done")


class Asked(Reaction):
    SETTINGS = (Setting("ANSWER", whole_number(0, 9), "1", "An answer"),)

    def plan(self, alert):
        raise SystemExit(3)


def a_playbook():
    return Playbook(
        "fake",
        Asked,
        lambda settings, collaborators: Asked(),
        lambda *_: Collaborators(FixedClock(), FakeOwnPod()),
        packages=(),
    )


class Recording:
    def __init__(self):
        self.reasons = []

    def record(self, alert, outcome):
        self.reasons.append(outcome.reason)


def answered(*answers, body=None, seconds=0.0, recorders=(), **given):
    """The reply, and the lines of the log."""
    responder = Responder(
        FakeReaction(*answers), (), FixedClock(), dry_run=False, recorders=recorders
    )
    with redirect_stderr(io.StringIO()) as log:
        event = Event(a_document() if body is None else body, "e1")
        reply = Runtime("fake", responder).handle(event, seconds=seconds, **given)
    return reply, log.getvalue().splitlines()


with description("What an engine is to do with an event") as self:
    with it("is said by its outcome: done, skipped, again, or give up"):
        for outcome, intent in (
            (DONE, "done"),
            (Outcome.would_act("pod shop/web-0", "delete", "would"), "done"),
            (Outcome.skipped("paused", "paused by alice", held=True), "skipped"),
            (Outcome.failed(Conflict("no")), "again"),
            (Outcome.failed(NotPermitted("no")), "give up"),
            (Outcome.failed(InvalidAlert("no")), "give up"),
        ):
            expect(str(Intent.of(outcome))).to(equal(intent))

    with it("is to give up where it will not be delivered again"):
        expect(Intent.of(Outcome.failed(Conflict("no")), last=True)).to(be(Intent.GIVE_UP))
        expect(Intent.of(DONE, last=True)).to(be(Intent.DONE))


with description("An event that an engine gets once") as self:
    with it("is answered, and logged with the engine's own id"):
        reply, lines = answered(DONE)

        expect((reply.intent, reply.outcome.reason)).to(equal((Intent.DONE, "done")))
        expect(lines).to(have_len(1))
        expect(json.loads(lines[0])["event_id"]).to(equal("e1"))

    with it("is tried again while there is time, and not without"):
        expect(answered(Conflict("no", 0.0), DONE, seconds=5.0)[0].intent).to(be(Intent.DONE))
        expect(answered(Conflict("no", 1.0), DONE)[0].intent).to(be(Intent.AGAIN))

    with it("is recorded, whatever its outcome, as it is not delivered again"):
        recording = Recording()
        answered(Conflict("no", 1.0), recorders=[recording])

        expect(recording.reasons).to(equal(["conflict"]))

    with it("is recorded once it is final, where its caller delivers it again"):
        recording = Recording()
        for answer in (Conflict("no", 1.0), DONE):
            _, lines = answered(answer, recorders=[recording], redelivers=True)
            expect(lines).not_to(equal([]))

        expect(recording.reasons).to(equal(["done"]))

    with it("is given up where it is no alert"):
        reply, lines = answered(DONE, body=b"{")

        expect(reply.intent).to(be(Intent.GIVE_UP))
        expect(json.loads(lines[-1])["reason"]).to(equal("invalid-alert"))


with description("A playbook that an engine calls with its environment") as self:
    with before.each:
        self.log = io.StringIO()

    def handled(self, **environ):
        with redirect_stderr(self.log):
            return handle(a_playbook(), Event(a_document(), "e1"), environ, seconds=0.0)

    with it("gives up where a setting is wrong, and logs it"):
        reply = self.handled(ANSWER="many")

        expect(reply.intent).to(be(Intent.GIVE_UP))
        expect(isinstance(reply.outcome.error, InvalidSetting)).to(equal(True))
        expect(self.log.getvalue()).to(contain('"reason": "invalid-setting"'))

    with it("does not end the engine's process"):
        reply = self.handled()

        expect(reply.intent).to(be(Intent.GIVE_UP))
        expect(isinstance(reply.outcome.error, Unexpected)).to(equal(True))
        expect(reply.outcome.message).to(contain("sys.exit(3)"))
