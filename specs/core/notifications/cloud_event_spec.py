import json

from expects import contain, equal, expect, match
from mamba import description, it

from playbooks.core.notifications import cloud_event
from playbooks.core.outcome import Outcome
from playbooks.core.redaction.redaction import Redaction
from playbooks.testing import an_alert

DONE = Outcome.acted("pod shop/web-0", "deletion-accepted", "deletion accepted", uid="1")


def of_alert(alert, on=True):
    return cloud_event.of_alert("webhook", alert, Redaction(on=on))


with description("The CloudEvent of an alert") as self:
    with it("has the alert as Falco writes it"):
        alert = an_alert(uuid="3f1c")
        event = of_alert(alert)

        expect({key: event[key] for key in event if key not in ("id", "data")}).to(
            equal(
                {
                    "specversion": "1.0",
                    "source": "falco-playbooks/webhook",
                    "type": "falco.playbooks.alert.v1",
                    "subject": "terminal_shell_in_container",
                    "time": "2026-01-02T03:00:00.000000000Z",
                    "datacontenttype": "application/json",
                }
            )
        )
        expect(type(alert).parse(event["data"])).to(equal(alert))
        expect(event["id"]).to(match("^msg_[0-9a-f]{32}$"))

    with it("has nothing that must not leave, also where only its name tells that it is secret"):
        alert = an_alert({"db_password": "S3cret"}, output="Notice (mysql -pS3cret)")

        expect(json.dumps(of_alert(alert))).not_to(contain("S3cret"))
        expect(json.dumps(of_alert(alert, on=False))).to(contain("S3cret"))

    with it("has an id that an alert of other words has not, whatever uuid is given"):
        ids = {of_alert(an_alert(uuid="1", output=output))["id"] for output in ("Notice a", "b")}

        expect(len(ids)).to(equal(2))
        expect(of_alert(an_alert())["id"]).to(equal(of_alert(an_alert())["id"]))

    with it("is JSON whatever numbers an alert has"):
        written = cloud_event.body(of_alert(an_alert({"n": float("nan"), "k": "\ud800"})))

        expect(json.loads(written, parse_constant=None)["data"]["output_fields"]["n"]).to(
            equal("NaN")
        )

with description("The CloudEvent of an outcome") as self:
    with it("says what became of which alert, without the alert's text"):
        event = cloud_event.of_outcome("delete", an_alert(output="Notice words"), DONE, "eu-1")

        expect(event["type"]).to(equal("falco.playbooks.outcome.v1"))
        expect({key: event["data"][key] for key in ("playbook", "cluster", "status")}).to(
            equal({"playbook": "delete", "cluster": "eu-1", "status": "acted"})
        )
        expect(json.dumps(event)).not_to(contain("words"))

    with it("has an id for each outcome of an alert, and of each alert"):
        ids = {
            cloud_event.of_outcome(playbook, an_alert(output=output), outcome)["id"]
            for playbook in ("delete", "taint")
            for output in ("Notice a", "Notice b")
            for outcome in (DONE, Outcome.skipped("pod-gone", "it is gone"))
        }

        expect(len(ids)).to(equal(8))
