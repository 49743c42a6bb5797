from dataclasses import replace
from threading import Thread

from expects import be_empty, contain, equal, expect, have_len, raise_error
from mamba import before, description, it

from playbooks.core.errors import ClusterUnavailable, NotPermitted, SlackRejected, StillRunning
from playbooks.core.outcome import Outcome
from playbooks.core.settings import read
from playbooks.infrastructure import wiring
from playbooks.infrastructure.kubernetes.events import KubernetesEvents
from playbooks.infrastructure.ledger import StoredLedger
from playbooks.infrastructure.memory.cluster import MemoryLedger
from playbooks.infrastructure.webhooks import SlackRecorder, WebhookRecorder
from playbooks.taint import playbook
from playbooks.testing import RecordingSlack, an_alert
from specs.support.wired import MovingClock

WEBHOOK = "https://hooks.slack.example/services/T0/B0/secret"


def recorders(**settings):
    collaborators = wiring.kubernetes("taint", read(playbook.settings, settings))
    return [type(recorder) for recorder in collaborators.recorders]


with description("The recorder that tells Slack") as self:
    with before.each:
        self.slack = RecordingSlack()
        self.store, self.clock = MemoryLedger(), MovingClock()
        self.recorder = self.process()

    def process(self, slack=None):
        """As another process has it: only the ledger remembers."""
        return SlackRecorder(slack or self.slack, "delete", StoredLedger(self.store), self.clock)

    with it("posts what was done, failed, would have been done, and a budget that trips"):
        for outcome in (
            Outcome.acted("pod shop/web-0", "done", "done"),
            Outcome.failed(NotPermitted("may not")),
            Outcome.would_act("pod shop/web-0", "delete", "would delete"),
            Outcome.skipped("budget-used-up", "tripped", held=True, first=True),
        ):
            self.recorder.record(an_alert(), outcome)

        expect(self.slack.messages).to(have_len(4))

    with it("posts no skip, and a budget that has tripped before neither"):
        self.recorder.record(an_alert(), Outcome.skipped("finished", "it has succeeded"))
        self.recorder.record(an_alert(), Outcome.skipped("budget-used-up", "tripped", first=False))

        expect(self.slack.messages).to(be_empty)

    with it("says once an hour that a target is held, for each reason"):
        held = Outcome.skipped("exempt", "until noon", "pod shop/web-0", held=True, uid="1")
        for outcome in (held, held, replace(held, reason="own-pod"), replace(held, target="b")):
            self.recorder.record(an_alert(), outcome)

        expect(self.slack.messages).to(have_len(3))
        expect(str(self.slack.messages[0])).to(contain("holds an alert about pod shop/web-0"))

        self.clock.seconds += 3601
        self.recorder.record(an_alert(), held)

        expect(self.slack.messages).to(have_len(4))

    with it("says it once an hour also where each alert has a process of its own"):
        held = Outcome.skipped("exempt", "until noon", "pod shop/web-0", held=True, uid="1")
        fails = replace(Outcome.failed(StillRunning("it runs on")), target="pod shop/web-0")
        for outcome in (held, fails):
            threads = [
                Thread(target=self.process().record, args=(an_alert(), outcome)) for _ in range(8)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        expect(self.slack.messages).to(have_len(2))

    with it("says it again where it could not be said"):
        held = Outcome.skipped("exempt", "until noon", "pod shop/web-0", held=True, uid="1")
        broken = RecordingSlack()
        broken.post = self.refuse

        expect(lambda: self.process(broken).record(an_alert(), held)).to(raise_error(SlackRejected))
        self.process().record(an_alert(), held)
        expect(self.slack.messages).to(have_len(1))

    with it("says it all the same where the ledger does not answer"):
        held = Outcome.skipped("exempt", "until noon", "pod shop/web-0", held=True, uid="1")
        self.store.read = self.away
        self.process().record(an_alert(), held)

        expect(self.slack.messages).to(have_len(1))

    def refuse(self, message):
        raise SlackRejected("no_service")

    def away(self):
        raise ClusterUnavailable("away")

    with it("says why"):
        done = Outcome.acted("pod shop/web-0", "done", "done")
        self.recorder.record(an_alert(), replace(done, why=("3 of 10 actions", "done")))

        expect(str(self.slack.messages)).to(contain("1. 3 of 10 actions"))

    with it("is there where it is asked for only; Events always are"):
        told = {"SLACK_OUTCOMES": "true", "SLACK_WEBHOOK_URL": WEBHOOK}

        expect(recorders()).to(equal([KubernetesEvents]))
        expect(recorders(**told)).to(equal([KubernetesEvents, SlackRecorder]))

    with it("is there beside a webhook, which OUTCOMES_TO asks for"):
        told = {
            "OUTCOMES_TO": "webhook",
            "WEBHOOK_URL": "https://x.example/",
            "WEBHOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        }

        expect(recorders(**told)).to(equal([KubernetesEvents, WebhookRecorder]))
