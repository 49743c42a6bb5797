from dataclasses import replace

from expects import be_empty, contain, equal, expect, have_len
from mamba import before, description, it

from playbooks.core.errors import NotPermitted
from playbooks.core.outcome import Outcome
from playbooks.core.settings import read
from playbooks.infrastructure import wiring
from playbooks.infrastructure.kubernetes.events import KubernetesEvents
from playbooks.infrastructure.slack import SlackRecorder
from playbooks.taint import playbook
from specs.support.fakes import RecordingSlack
from specs.support.mothers import an_alert

WEBHOOK = "https://hooks.slack.example/services/T0/B0/secret"


def recorders(**settings):
    collaborators = wiring.kubernetes("taint", read(playbook.settings, settings))
    return [type(recorder) for recorder in collaborators.recorders]


with description("The recorder that tells Slack") as self:
    with before.each:
        self.slack = RecordingSlack()
        self.now = 0.0
        self.recorder = SlackRecorder(self.slack, "delete", clock=lambda: self.now)

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

        self.now += 3601
        self.recorder.record(an_alert(), held)

        expect(self.slack.messages).to(have_len(4))

    with it("says why"):
        done = Outcome.acted("pod shop/web-0", "done", "done")
        self.recorder.record(an_alert(), replace(done, why=("3 of 10 actions", "done")))

        expect(str(self.slack.messages)).to(contain("1. 3 of 10 actions"))

    with it("is there where it is asked for only; Events always are"):
        told = {"SLACK_OUTCOMES": "true", "SLACK_WEBHOOK_URL": WEBHOOK}

        expect(recorders()).to(equal([KubernetesEvents]))
        expect(recorders(**told)).to(equal([KubernetesEvents, SlackRecorder]))
