import pickle
import time
import traceback
from contextlib import suppress
from unittest.mock import patch
from urllib.parse import urlsplit

from expects import be_a, be_below, be_empty, be_none, contain, equal, expect, have_len, raise_error
from mamba import after, before, description, it
from standardwebhooks import Webhook, WebhookVerificationError

from playbooks.core.errors import (
    SlackRejected,
    SlackUnavailable,
    Throttled,
    WebhookRejected,
    WebhookUnavailable,
)
from playbooks.core.notifications import cloud_event, signature
from playbooks.core.notifications.facts import MessageOptions
from playbooks.core.outcome import Outcome
from playbooks.core.redaction.redaction import Redaction
from playbooks.infrastructure import webhooks
from playbooks.infrastructure.this_pod import SystemClock
from playbooks.infrastructure.webhooks import (
    SignedWebhook,
    SlackWebhook,
    WebhookAnswer,
    WebhookRecorder,
)
from playbooks.testing import NOW, FixedClock, an_alert
from specs.support.loopback.server import Answer, Receiver
from specs.support.loopback.slack_server import OK, SlackServer, rate_limited, said

MESSAGE = {"text": "hello"}
NO_SLACK = "http://127.0.0.1:9/services/T0/B0/secret"


def the_error_of_slack(url):
    try:
        SlackWebhook(url).post(MESSAGE)
    except Exception as error:
        return error
    return None


with description("Slack's webhook") as self:
    with before.each:
        self.slack = SlackServer()

    with after.each:
        self.slack.stop()

    with it("takes a message"):
        SlackWebhook(self.slack.url).post(MESSAGE)

        expect(self.slack.messages).to(equal([MESSAGE]))

    with it("rejects in its own words"):
        self.slack.refusals.append(said(404, "channel_not_found"))
        error = the_error_of_slack(self.slack.url)

        expect(error).to(be_a(SlackRejected))
        expect(str(error)).to(equal("Slack answered 404: channel_not_found"))

    with it("rejects with anything but ok where it is Slack's own"):
        self.slack.refusals.append(said(200, "<html>a proxy's page</html>"))

        with patch.object(webhooks, "HOSTS", ("127.0.0.1",)):
            expect(the_error_of_slack(self.slack.url)).to(be_a(SlackRejected))

    with it("takes any 2xx of others that speak its language, and nothing else"):
        self.slack.refusals += [said(200, '{"success":true}'), said(204, ""), said(302, "ok")]

        expect([the_error_of_slack(self.slack.url) for _ in range(2)]).to(equal([None, None]))
        expect(the_error_of_slack(self.slack.url)).to(be_a(SlackRejected))

    with it("knows Slack by its host, and nobody who has it in his name"):
        for host, words in (
            ("hooks.slack.com", "ok"),
            ("hooks.slack-gov.com", "ok"),
            ("slack.com.evil.example", "fine"),
            ("notslack.com", "fine"),
        ):
            answer = WebhookAnswer(200, {}, words.encode())
            with patch.object(webhooks, "asked", lambda *_, answer=answer: answer):
                SlackWebhook(f"https://{host}/services/x").post(MESSAGE)

    with it("is not followed to where it redirects"):
        self.slack.refusals.append(said(302, "moved", Location="http://127.0.0.1:9/"))

        expect(the_error_of_slack(self.slack.url)).to(be_a(SlackRejected))

    with it("says how long to wait"):
        self.slack.refusals.append(rate_limited(30))
        error = the_error_of_slack(self.slack.url)

        expect(error).to(be_a(Throttled))
        expect(error.retry_after).to(equal(30.0))

    with it("may be back later when it is broken"):
        self.slack.refusals.append(said(503, "down"))

        expect(the_error_of_slack(self.slack.url)).to(be_a(SlackUnavailable))

    with it("may be back later when nobody listens"):
        expect(the_error_of_slack(NO_SLACK)).to(be_a(SlackUnavailable))

    with it("is given up after a deadline"):
        self.slack.answer = lambda asked: time.sleep(0.3) or OK
        with patch.object(webhooks, "TIMEOUT", (0.1, 0.1)):
            expect(the_error_of_slack(self.slack.url)).to(be_a(SlackUnavailable))

    with it("is not heard to the end where that does not come"):
        for size, pause in ((65536, 0.0), (1, 0.02)):
            sent = []

            def go_on(connection, size=size, pause=pause, sent=sent):
                with suppress(OSError):
                    while len(sent) < 500:
                        connection.sendall(b"x" * size)
                        sent.append(size)
                        time.sleep(pause)

            self.slack.refusals.append(Answer(404, b"", {"Content-Length": "99999999"}, then=go_on))
            with patch.object(webhooks, "TIMEOUT", (1.0, 0.2)):
                error = the_error_of_slack(self.slack.url)

            expect(error).to(be_a(SlackRejected))
            expect(len(sent)).to(be_below(250))

    with it("has answered where nothing comes after its status"):
        for then in (lambda connection: time.sleep(0.3), lambda connection: None):
            self.slack.refusals.append(Answer(200, b"", {"Content-Length": "9"}, then=then))
            with patch.object(webhooks, "TIMEOUT", (1.0, 0.1)):
                expect(the_error_of_slack(self.slack.url)).to(be_none)

    with it("rejects in words of whatever encoding"):
        said_idna = {"Content-Type": "text/plain; charset=idna"}
        self.slack.refusals.append(Answer(404, b"no\xff", said_idna))

        expect(str(the_error_of_slack(self.slack.url))).to(
            equal("Slack answered 404: no\N{REPLACEMENT CHARACTER}")
        )

    with description("its URL"):
        with it("is in no error, nor in what caused it"):
            self.slack.refusals.append(said(404, f"no {self.slack.url}"))
            for error in (the_error_of_slack(self.slack.url), the_error_of_slack(NO_SLACK)):
                told = "".join(traceback.format_exception(None, error, error.__traceback__))

                expect([error.__cause__, error.__context__]).to(equal([None, None]))
                for secret in ("spec-webhook", "B0/secret"):
                    expect(told).not_to(contain(secret))

        with it("is in no error that was pickled"):
            expect(str(pickle.loads(pickle.dumps(the_error_of_slack(NO_SLACK))))).not_to(
                contain("secret")
            )

        with it("is in no log of the HTTP library"):
            with patch("logging.Logger.handle") as handle:
                the_error_of_slack(NO_SLACK)
                said = [call.args[0].getMessage() for call in handle.call_args_list]

            expect([line for line in said if "secret" in line]).to(be_empty)


SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OLD_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDm2nvPUlO8wE="
EVENT = cloud_event.of_alert("webhook", an_alert(), Redaction())
NOBODY_LISTENS = "http://127.0.0.1:9/hooks/s3cret-path"


def a_webhook(url, secret=SECRET, clock=None):
    return SignedWebhook(url, signature.keys(secret), clock or SystemClock())


def the_error_of(url):
    try:
        a_webhook(url).send(EVENT)
    except Exception as error:
        return error
    return None


with description("A signed webhook") as self:
    with before.each:
        self.receiver = Receiver()

    with after.each:
        self.receiver.stop()

    with it("is verified by who has the secret, with the package of Standard Webhooks"):
        a_webhook(self.receiver.url).send(EVENT)
        (posted,) = self.receiver.asked

        expect(Webhook(SECRET).verify(posted.content, posted.headers)).to(equal(EVENT))
        expect(posted.headers["content-type"]).to(equal(cloud_event.CONTENT_TYPE))
        expect(posted.headers["webhook-id"]).to(equal(EVENT["id"]))

    with it("is verified with either of two secrets while one replaces the other"):
        a_webhook(self.receiver.url, f"{SECRET} {OLD_SECRET}").send(EVENT)
        (posted,) = self.receiver.asked

        for secret in (SECRET, OLD_SECRET):
            expect(Webhook(secret).verify(posted.content, posted.headers)).to(equal(EVENT))

    with it("is refused where another body, another secret, or a time of long ago is signed"):
        a_webhook(self.receiver.url).send(EVENT)
        a_webhook(self.receiver.url, clock=FixedClock(NOW)).send(EVENT)
        now, long_ago = self.receiver.asked

        for secret, body, headers in (
            (SECRET, now.content + b" ", now.headers),
            (OLD_SECRET, now.content, now.headers),
            (SECRET, long_ago.content, long_ago.headers),
        ):
            expect(
                lambda secret=secret, body=body, headers=headers: Webhook(secret).verify(
                    body, headers
                )
            ).to(raise_error(WebhookVerificationError))

    with it("has the same id where it is tried again, and a signature of its own time"):
        self.receiver.refusals.append(Answer(503, b""))
        expect(lambda: a_webhook(self.receiver.url).send(EVENT)).to(raise_error(WebhookUnavailable))
        a_webhook(self.receiver.url, clock=FixedClock(NOW)).send(EVENT)
        first, second = (posted.headers for posted in self.receiver.asked)

        expect(first["webhook-id"]).to(equal(second["webhook-id"]))
        expect(first["webhook-signature"]).not_to(equal(second["webhook-signature"]))

    with it("may be taken later where nobody listens, or the other side is broken"):
        self.receiver.refusals.append(Answer(500, b"broken"))

        for url in (self.receiver.url, NOBODY_LISTENS):
            expect(the_error_of(url)).to(be_a(WebhookUnavailable))

    with it("waits as long as it is asked to"):
        self.receiver.refusals.append(Answer(429, b"", {"Retry-After": "7"}))
        error = the_error_of(self.receiver.url)

        expect(error).to(be_a(Throttled))
        expect(error.retry_after).to(equal(7.0))

    with it("waits by its own measure where what it is asked to is no number of seconds"):
        for asked in ("inf", "nan", "1e9", "9" * 10, "Wed, 21 Oct 2026 07:28:00 GMT", "-1"):
            self.receiver.refusals.append(Answer(429, b"", {"Retry-After": asked}))

            expect(the_error_of(self.receiver.url).retry_after).to(be_none)

    with it("is given up where it is refused, and not followed to where it is sent"):
        elsewhere = {"Location": f"http://{self.receiver.address}/elsewhere"}
        self.receiver.refusals += [Answer(401, b"bad signature"), Answer(307, b"", elsewhere)]

        error = the_error_of(self.receiver.url)
        expect(error).to(be_a(WebhookRejected))
        expect(str(error)).to(equal("the webhook answered 401: bad signature"))
        expect(the_error_of(self.receiver.url)).to(be_a(WebhookRejected))
        expect(self.receiver.asked).to(have_len(2))

    with it("has its URL in no error, nor in what caused it"):
        self.receiver.refusals.append(Answer(404, f"no {self.receiver.url}".encode()))
        for error in (the_error_of(self.receiver.url), the_error_of(NOBODY_LISTENS)):
            told = "".join(traceback.format_exception(None, error, error.__traceback__))

            expect(told).not_to(contain("s3cret-path"))
            expect([error.__cause__, error.__context__]).to(equal([None, None]))
            expect(str(pickle.loads(pickle.dumps(error)))).not_to(contain("s3cret-path"))

    with it("has no part of its URL in an error, however a page shows it"):
        path = urlsplit(self.receiver.url).path
        for page in (f"<p>{path} was not found", "x" * 180 + self.receiver.url, "x" * 190 + path):
            self.receiver.refusals.append(Answer(404, page.encode()))

            expect(str(the_error_of(self.receiver.url))).not_to(contain("s3cr"))

with description("The recorder that tells a program") as self:
    with it("sends every outcome, also one of which no person needs to hear"):
        alert = an_alert({"cluster": "eu-1"})
        skipped = Outcome.skipped("finished", "it has succeeded", "pod shop/web-0", uid="1")
        with Receiver() as receiver:
            recorder = WebhookRecorder(a_webhook(receiver.url), "delete", MessageOptions())
            recorder.record(alert, skipped)
            recorder.record(alert, skipped)
        first, second = receiver.asked

        expect(WebhookRecorder.EVERY).to(equal(True))
        expect(first.body["data"]).to(
            equal(
                {
                    "playbook": "delete",
                    "cluster": "eu-1",
                    "alert": {
                        "rule": "Terminal shell in container",
                        "priority": "Notice",
                        "time": "2026-01-02T03:00:00.000000000Z",
                        "source": "syscall",
                        "hostname": "node-1",
                        "uuid": "",
                    },
                    **skipped.to_dict(),
                }
            )
        )
        expect(first.headers["webhook-id"]).to(equal(second.headers["webhook-id"]))
