import io
import json
from contextlib import redirect_stderr

from expects import be_below, contain, equal, expect, have_len, raise_error
from mamba import before, description, it

from playbooks.core.errors import ClusterUnavailable, InvalidSetting, Throttled
from playbooks.core.outcome import Outcome
from playbooks.delete import playbook
from playbooks.engines.pushed import PushedAlerts, http_status
from playbooks.engines.runtime import Intent, Reply
from playbooks.testing import InMemoryCluster, a_document, a_pod, an_alert, some_collaborators

ALERT = a_document(output_fields=dict(an_alert().fields), uuid="u-1")


with description("Alerts that are pushed") as self:
    with before.each:
        self.cluster = InMemoryCluster(a_pod())
        self.log = io.StringIO()

    def alerts(self, **settings):
        return PushedAlerts(playbook, settings, some_collaborators(self.cluster), seconds=0.0)

    def handled(self, alerts, document):
        with redirect_stderr(self.log):
            return alerts.handle(json.dumps(document).encode(), event_id="e1")

    with it("are answered where one of TOPICS reaches them, as a subscription would"):
        alerts = self.alerts(TOPICS="falco.error.*, falco.notice.terminal_shell_in_container")

        expect(self.handled(alerts, ALERT).outcome.reason).to(equal("deletion-accepted"))

    with it("are skipped where none does, which the log says"):
        reply = self.handled(self.alerts(TOPICS="falco.error.*"), ALERT)

        expect((reply.intent, reply.outcome.reason)).to(equal((Intent.SKIPPED, "not-subscribed")))
        expect(json.loads(self.log.getvalue())["message"]).to(
            equal("no topic matches falco.notice.terminal_shell_in_container")
        )
        expect(self.cluster.calls).to(equal([]))

    with it("are all answered where TOPICS is not set"):
        expect(self.handled(self.alerts(), ALERT).intent).to(equal(Intent.DONE))

    with it("are not taken in where TOPICS is malformed"):
        for topics in ("", "falco..x", "falco.err*", "falco.>.x"):
            expect(lambda topics=topics: self.alerts(TOPICS=topics)).to(
                raise_error(InvalidSetting, contain("TOPICS"))
            )

    with description("that come again after they were acted upon"):
        with it("are known by Falcosidekick's uuid, also where a pod of that name is there again"):
            alerts = self.alerts()
            self.handled(alerts, ALERT)
            self.cluster.put(a_pod())
            reply = self.handled(alerts, ALERT)

            expect((reply.intent, reply.outcome.reason)).to(equal((Intent.SKIPPED, "repeated")))
            expect(reply.outcome.message).to(contain("alert u-1 was delivered before"))
            expect(self.cluster.writes).to(have_len(1))

        with it("are named in few words, however long the uuid is"):
            alerts = self.alerts()
            long = {**ALERT, "uuid": "u" * 100_000}
            self.handled(alerts, long)

            expect(len(self.handled(alerts, long).outcome.message)).to(be_below(500))

        with it("are other alerts where anything but the uuid differs: nobody is kept out by one"):
            alerts = self.alerts()
            self.handled(alerts, {**ALERT, "uuid": "u-1", "output_fields": {}})
            first = self.handled(alerts, ALERT)
            self.cluster.put(a_pod("web-1"))
            fields = {**ALERT["output_fields"], "k8s.pod.name": "web-1"}
            second = self.handled(alerts, {**ALERT, "output_fields": fields})

            expect([first.intent, second.intent]).to(equal([Intent.DONE, Intent.DONE]))

        with it("are answered as before where nothing was acted upon, or where there is no uuid"):
            alerts = self.alerts()
            self.cluster.failures["pod"] = [ClusterUnavailable("no answer")]
            reasons = [self.handled(alerts, ALERT).outcome.reason for _ in range(2)]
            self.cluster.put(a_pod())
            bare = {**ALERT, "uuid": ""}
            reasons += [self.handled(alerts, bare).outcome.reason for _ in range(2)]

            expect(reasons).to(
                equal(["cluster-unavailable", "deletion-accepted", "deletion-accepted", "pod-gone"])
            )

    with it("say so where there is no alert to be found in what was delivered"):
        with redirect_stderr(self.log):
            reply = self.alerts().refuse("a batch of CloudEvents", event_id="e2")

        expect((reply.intent, reply.outcome.reason)).to(equal((Intent.GIVE_UP, "invalid-alert")))
        expect(json.loads(self.log.getvalue().splitlines()[-1])["event_id"]).to(equal("e2"))


with description("The HTTP status of a reply") as self:
    with it("is 429 with what the API server asked for where it is throttled"):
        outcome = Outcome.failed(Throttled("slow down", retry_after=1.5))

        expect(http_status(Reply(Intent.AGAIN, outcome))).to(equal((429, {"Retry-After": "2"})))

    with it("is 500 for what may succeed later, and 400 for what would fail again"):
        outcome = Outcome.failed(ClusterUnavailable("no answer"))

        expect(http_status(Reply(Intent.AGAIN, outcome))).to(equal((500, {})))
        expect(http_status(Reply(Intent.GIVE_UP, outcome))).to(equal((400, {})))
