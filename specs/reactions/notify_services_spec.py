from expects import be_empty, contain, equal, expect, raise_error
from mamba import before, description, it

from playbooks.core.errors import InvalidSetting
from playbooks.core.notifications.facts import MessageOptions
from playbooks.core.outcome import Status
from playbooks.core.redaction.redaction import Redaction
from playbooks.notify import playbook
from playbooks.reactions.notify_services import NotifyServices
from playbooks.testing import RecordingNotifier, an_alert
from specs.support.loopback.server import Receiver

with description("Telling services") as self:
    with before.each:
        self.notifier = RecordingNotifier()
        self.reaction = NotifyServices(self.notifier, Redaction(), MessageOptions())

    with it("sends one message"):
        outcome = self.reaction.run(an_alert())
        (message,) = self.notifier.messages

        expect(outcome.status).to(equal(Status.ACTED))
        expect(outcome.message).to(equal("told the services about Terminal shell in container"))
        expect(message.title).to(equal("Notice: Terminal shell in container"))

    with it("plans without a word to anybody"):
        expect(self.reaction.plan(an_alert()).message).to(
            equal("tell the services: A shell was spawned")
        )
        expect(self.notifier.messages).to(be_empty)

    with it("sends nothing that must not leave"):
        self.reaction.run(an_alert(output="Notice (command=mysql -pS3cret)", tags=["token=S3cret"]))

        expect(self.notifier.messages[0].body).not_to(contain("S3cret"))

with description("The playbook that tells services") as self:
    with it("tells those of its settings"):
        with Receiver() as receiver:
            urls = f"json://{receiver.address}/a\njson://{receiver.address}/b\n"
            outcome = playbook.responder({"NOTIFY_URLS": urls}).answer(an_alert())

        expect(outcome.reason).to(equal("notified"))
        expect(sorted(posted.path for posted in receiver.asked)).to(equal(["/a", "/b"]))

    with it("tells nobody in a dry run"):
        with Receiver() as receiver:
            settings = {"NOTIFY_URLS": f"json://{receiver.address}/a", "DRY_RUN": "true"}
            outcome = playbook.responder(settings).answer(an_alert())

        expect(outcome.status).to(equal(Status.WOULD_ACT))
        expect(receiver.asked).to(be_empty)

    with it("takes nothing that is no URL, and shows none"):
        for urls in ("", "s3cret", "tgram://a/b s3cret", "http://s3cret.example/"):
            expect(lambda urls=urls: playbook.responder({"NOTIFY_URLS": urls})).to(
                raise_error(InvalidSetting, contain("NOTIFY_URLS is (not shown), expected"))
            )
