import io
import logging
import sys
import traceback
from unittest.mock import patch

from expects import contain, equal, expect, have_len, raise_error
from mamba import after, before, description, it

from playbooks.core.errors import InvalidSetting, NotificationFailed
from playbooks.core.notifications.facts import MessageOptions
from playbooks.core.notifications.text_message import TextMessage
from playbooks.core.outcome import Outcome
from playbooks.infrastructure.ledger import StoredLedger
from playbooks.infrastructure.memory.cluster import MemoryLedger
from playbooks.infrastructure.notifier import AppriseNotifier, NotifyRecorder
from playbooks.infrastructure.webhooks import SlackRecorder
from playbooks.testing import FixedClock, RecordingNotifier, RecordingSlack, an_alert
from specs.support.loopback.server import Answer, Receiver

MESSAGE = TextMessage("Notice: A rule", "A shell\n\nPod: web-0 & <b>", "warning")
DOWN = Answer(503, b"down for s3cret-path")

with description("The services of apprise") as self:
    with before.each:
        self.one, self.other = Receiver(), Receiver()
        self.log = logging.StreamHandler(io.StringIO())
        logging.getLogger("apprise").addHandler(self.log)

    with after.each:
        logging.getLogger("apprise").removeHandler(self.log)
        self.one.stop()
        self.other.stop()

    def notifier(self):
        """One in JSON, one as a form with a password."""
        urls = (f"json://{self.one.address}/s3cret-path", f"form://u:p4ss@{self.other.address}/x")
        return AppriseNotifier(urls)

    def the_error_of(self, notifier):
        try:
            notifier.send(MESSAGE)
        except NotificationFailed as error:
            return error
        return None

    with it("are all told, in text that is as it is"):
        self.notifier().send(MESSAGE)
        (posted,) = self.one.asked

        expect(posted.body["title"]).to(equal(MESSAGE.title))
        expect(posted.body["message"]).to(equal(MESSAGE.body))
        expect(posted.body["type"]).to(equal("warning"))
        expect(self.other.asked).to(have_len(1))

    with it("are told again where one was not, and no other"):
        self.other.refusals += [DOWN, DOWN]
        notifier = self.notifier()

        expect(str(self.the_error_of(notifier))).to(
            contain("1 of 2 services did not take the message: number 2 (Form)")
        )
        self.the_error_of(notifier)
        expect(self.the_error_of(notifier)).to(equal(None))
        expect([len(self.one.asked), len(self.other.asked)]).to(equal([1, 3]))

    with it("are told the same message again, once all were told"):
        notifier = self.notifier()
        notifier.send(MESSAGE)
        notifier.send(MESSAGE)

        expect(self.one.asked).to(have_len(2))

    with it("have their URLs in no error and no line of apprise's log"):
        self.one.refusals.append(DOWN)
        self.other.refusals.append(DOWN)
        error = self.the_error_of(self.notifier())
        logging.getLogger("apprise").warning(
            "cannot post to %s", f"http://{self.one.address}/s3cret-path"
        )
        logging.getLogger("apprise").warning("cannot log in as u with p4ss")
        told = "".join(traceback.format_exception(None, error, error.__traceback__))
        logged = self.log.stream.getvalue()

        expect(logged).to(contain("cannot post to", "cannot log in as u with ***"))
        for secret in ("s3cret", "p4ss", self.one.address):
            expect(told).not_to(contain(secret))
            expect(logged).not_to(contain(secret))

    with it("are refused where apprise knows none of that scheme, by its number alone"):
        for url in ("nope://s3cret", "tgram://s3cret"):
            expect(lambda url=url: AppriseNotifier((f"json://{self.one.address}/", url))).to(
                raise_error(
                    InvalidSetting, contain("NOTIFY_URLS is (not shown)", "number 2: apprise")
                )
            )
        expect(self.log.stream.getvalue()).not_to(contain("s3cret"))

    with it("are refused where anybody on the way could read what is sent"):
        for url, better in (
            ("json://example.org/x", "jsons"),
            ("mmost://h/1234567890abcdefg", "mmosts"),
        ):
            expect(lambda url=url: AppriseNotifier((url,))).to(
                raise_error(InvalidSetting, contain(f"{better}:// is"))
            )
        AppriseNotifier(("jsons://example.org/x", "discord://1234567890/abcdefghijklm"))

    with it("are missing where apprise is, which is said when the playbook is made"):
        with patch.dict(sys.modules, {"apprise": None}):
            expect(lambda: AppriseNotifier(("json://localhost/",))).to(
                raise_error(InvalidSetting, contain("install the extra 'notify'"))
            )

with description("The recorder that tells services") as self:
    with it("tells what people should hear of, beside Slack, and once an hour what is left"):
        notifier, slack, ledger = (
            RecordingNotifier(),
            RecordingSlack(),
            StoredLedger(MemoryLedger()),
        )
        recorders = [
            SlackRecorder(slack, "delete", ledger, FixedClock()),
            NotifyRecorder(notifier, "delete", ledger, FixedClock(), MessageOptions()),
        ]
        held = Outcome.skipped("exempt", "until noon", "pod shop/web-0", held=True, uid="1")
        for outcome in (held, held, Outcome.skipped("finished", "it has succeeded")):
            for recorder in recorders:
                recorder.record(an_alert(), outcome)

        expect([len(slack.messages), len(notifier.messages)]).to(equal([1, 1]))
        expect(notifier.messages[0].title).to(contain("holds an alert about pod shop/web-0"))
