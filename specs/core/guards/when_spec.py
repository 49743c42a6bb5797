from expects import be_empty, be_false, be_none, contain, equal, expect, raise_error
from mamba import description, it

from playbooks.core import catalogue
from playbooks.core.errors import InvalidSetting
from playbooks.core.guards.guard import Case
from playbooks.core.guards.when import LONGEST, WHEN, When
from playbooks.core.outcome import Status
from playbooks.core.ports import Condition, Judgement
from playbooks.core.responder import Responder
from playbooks.engines.runtime import Runtime
from playbooks.testing import (
    NOW,
    FakeReaction,
    FixedClock,
    InMemoryCluster,
    a_document,
    a_pod,
    a_ready_node,
    an_action,
    an_alert,
    some_collaborators,
)
from specs.support.conditions import CEL, not_run_unless


class Says(Condition):
    """One thing of the alert alone, and another once there is a pod."""

    def __init__(self, alone, with_pod=None, names_pod=False):
        self._alone, self._with_pod, self._names_pod = alone, with_pod, names_pod

    @property
    def names_pod(self):
        return self._names_pod

    def judge(self, alert, pod=None):
        return Judgement(self._with_pod if pod else self._alone, "nobody knows")

    def seen(self, alert):
        return alert.rule


def a_case():
    return Case(an_alert(), NOW)


def answered(condition, action):
    reaction = FakeReaction(action)
    return Responder(reaction, (When(condition),), FixedClock(), dry_run=False).answer(a_document())


with description("The guard of the condition") as self:
    with it("passes everything where there is none"):
        guard = When(None)

        expect(guard.of_alert(a_case()).reason).to(be_empty)
        expect(guard.of_action(a_case(), an_action(a_pod())).reason).to(be_empty)
        expect(guard.seen(an_alert())).to(be_none)

    with it("is asked of the alert alone where that is what it is about"):
        expect(When(Says(True)).of_alert(a_case()).reason).to(be_empty)
        expect(When(Says(False)).of_alert(a_case()).reason).to(equal("when-false"))
        expect(When(Says(False)).of_action(a_case(), an_action(a_pod())).reason).to(be_empty)

    with it("is asked again once the pod is proven, where it is about the pod"):
        guard = When(Says(None, False, names_pod=True))

        expect(guard.of_alert(a_case()).reason).to(be_empty)
        expect(guard.of_action(a_case(), an_action(a_pod())).reason).to(equal("when-false"))

    with it("refuses before the proof what no pod could change"):
        guard = When(Says(False, True, names_pod=True))

        expect(guard.of_alert(a_case()).words).to(equal("WHEN does not hold"))

    with it("refuses what cannot be told, and says why"):
        refusal = When(Says(None)).of_alert(a_case())

        expect(refusal.reason).to(equal("when-false"))
        expect(refusal.words).to(equal("WHEN cannot be told, and so does not hold: nobody knows"))

    with it("refuses an action without a pod, where it is about the pod"):
        guard = When(Says(None, True, names_pod=True))

        expect(guard.of_action(a_case(), an_action(None)).reason).to(equal("when-false"))

    with it("holds nobody's alert for a person: it says what the operator asked for"):
        acted = []
        action = an_action(a_pod(), carry_out=lambda: acted.append(1))
        outcome = answered(Says(None, False, names_pod=True), action)

        expect((outcome.status, outcome.reason)).to(equal((Status.SKIPPED, "when-false")))
        expect(outcome.held).to(be_false)
        expect(acted).to(be_empty)

    with it("keeps alerts about one pod apart that differ in what it looks at"):
        guard = When(Says(None, True, names_pod=True))
        reaction = FakeReaction(an_action(a_pod()))
        runtime = Runtime("fake", Responder(reaction, (guard,), FixedClock(), dry_run=False))
        runtime._responder.reaction.TARGETS = "pods"
        targets = {
            runtime.target(an_alert(rule=rule), NOW) for rule in ("one", "one", "another", "one")
        }

        expect(len(targets)).to(equal(2))

with description("The setting WHEN") as self:

    def outcome_of(self, name, alert, pod, **settings):
        playbook = catalogue.load(name)
        cluster = InMemoryCluster(pod, a_ready_node("node-1"), a_ready_node("node-2"))
        return playbook.responder(settings, some_collaborators(cluster)).answer(alert)

    with it("is one of playbooks that act and of one that does not"):
        for name in ("cordon", "delete", "isolate", "slack", "taint"):
            playbook = catalogue.load(name)
            expect((name, WHEN in playbook.settings)).to(equal((name, True)))
            urls = {"SLACK_WEBHOOK_URL": "https://slack.example/x"}
            responder = playbook.responder({**urls, "WHEN": 'alert.source == "x"'})

            refusal = responder.refusal(an_alert())
            expect((name, refusal.reason)).to(equal((name, "when-false")))

    with it("lets a playbook act where it holds, and not where it does not"):
        for name in ("delete", "isolate", "taint", "cordon"):
            for label, status in (("web", Status.ACTED), ("db", Status.SKIPPED)):
                outcome = self.outcome_of(
                    name, an_alert(time=str(NOW)), a_pod(), WHEN=f'pod.labels["app"] == "{label}"'
                )

                expect((name, label, outcome.status)).to(equal((name, label, status)))

    with it("says in the outcome that it holds, or what cannot be told"):
        alert = an_alert(time=str(NOW))
        outcome = self.outcome_of("delete", alert, a_pod(), WHEN='pod.namespace == "shop"')

        expect(outcome.why).to(contain("WHEN holds"))
        outcome = self.outcome_of("delete", alert, a_pod(), WHEN='fields["proc.name"] == "sh"')
        expect(outcome.message).to(contain("the alert has no field proc.name"))

    with it("is refused where it names a pod and the playbook proves none"):
        settings = {"WHEN": 'pod.namespace == "shop"', "SLACK_WEBHOOK_URL": "https://s.example"}

        expect(lambda: catalogue.load("slack").responder(settings)).to(
            raise_error(InvalidSetting, contain("WHEN names pod", "proves none"))
        )

    with it("is refused where nothing reads it"):
        collaborators = some_collaborators(conditions=None)

        expect(lambda: catalogue.load("delete").responder({"WHEN": "true"}, collaborators)).to(
            raise_error(InvalidSetting, contain("nothing here reads conditions"))
        )

    with it("is refused where it is too long to be one"):
        expect(lambda: WHEN.check("x" * (LONGEST + 1))).to(
            raise_error(InvalidSetting, contain("at most 2000 characters"))
        )

    with it("brings what reads it, and only then"):
        for name in catalogue.names():
            playbook = catalogue.load(name)

            expect(playbook.installs({"WHEN": "true"})).to(contain("cel-python"))
            expect(playbook.installs({"WHEN": ""})).not_to(contain("cel-python"))


not_run_unless(CEL, globals(), title="The setting WHEN")
