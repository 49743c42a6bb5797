import json

from expects import be_empty, contain, equal, expect, raise_error
from mamba import before, description, it

from playbooks.core.errors import InvalidSetting
from playbooks.core.outcome import Status
from playbooks.core.redaction.redaction import Redaction
from playbooks.reactions.call_webhook import CallWebhook
from playbooks.testing import RecordingWebhook, an_alert
from playbooks.webhook import playbook
from specs.support.loopback.server import Answer, Receiver

GIVEN = {"WEBHOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}


with description("Calling a webhook") as self:
    with before.each:
        self.webhook = RecordingWebhook()
        self.reaction = CallWebhook(self.webhook, Redaction())

    with it("sends the alert once"):
        outcome = self.reaction.run(an_alert())
        (event,) = self.webhook.events

        expect(outcome.status).to(equal(Status.ACTED))
        expect(outcome.message).to(
            equal("sent the alert of Terminal shell in container to the webhook")
        )
        expect(outcome.details["message_id"]).to(equal(event["id"]))
        expect(event["data"]["rule"]).to(equal("Terminal shell in container"))

    with it("plans without a word to anybody"):
        action = self.reaction.plan(an_alert())

        expect(action.message).to(equal("send the webhook: A shell was spawned"))
        expect(self.webhook.events).to(be_empty)

    with it("sends nothing that must not leave"):
        self.reaction.run(an_alert(output="Notice (command=mysql -pS3cret)"))

        expect(json.dumps(self.webhook.events)).not_to(contain("S3cret"))

with description("The playbook that calls a webhook") as self:
    with it("posts to the URL of its settings, and says a refusal in the words of the other side"):
        with Receiver(Answer(400, b"unknown type")) as receiver:
            responder = playbook.responder({**GIVEN, "WEBHOOK_URL": receiver.url})
            refused, sent = responder.answer(an_alert()), responder.answer(an_alert())

        expect([refused.reason, sent.reason]).to(equal(["webhook-rejected", "sent"]))
        expect(refused.message).to(equal("the webhook answered 400: unknown type"))

    with it("posts nothing in a dry run"):
        with Receiver() as receiver:
            settings = {**GIVEN, "WEBHOOK_URL": receiver.url, "DRY_RUN": "true"}
            outcome = playbook.responder(settings).answer(an_alert())

        expect(outcome.status).to(equal(Status.WOULD_ACT))
        expect(receiver.asked).to(be_empty)

    with it("takes no URL that anybody on the way could read, and shows none"):
        for url in ("http://receiver.example/s3cret", "ftp://x.example/s3cret", "s3cret"):
            expect(lambda url=url: playbook.responder({**GIVEN, "WEBHOOK_URL": url})).to(
                raise_error(InvalidSetting, contain("WEBHOOK_URL is (not shown), expected"))
            )

    with it("takes no secret that is no base64"):
        settings = {"WEBHOOK_URL": "https://x.example/", "WEBHOOK_SECRET": "plain-secret"}

        expect(lambda: playbook.responder(settings)).to(
            raise_error(InvalidSetting, contain("WEBHOOK_SECRET is (not shown), expected whsec_"))
        )
