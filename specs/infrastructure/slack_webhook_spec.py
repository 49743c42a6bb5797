import pickle
import time
import traceback
from unittest.mock import patch

from expects import be_a, be_empty, contain, equal, expect
from mamba import after, before, description, it
from requests import Response

from playbooks.core.errors import SlackRejected, SlackUnavailable, Throttled
from playbooks.infrastructure import webhooks
from playbooks.infrastructure.webhooks import SlackWebhook
from specs.support.loopback.slack_server import OK, SlackServer, rate_limited, said

MESSAGE = {"text": "hello"}
NOBODY_LISTENS = "http://127.0.0.1:9/services/T0/B0/secret"


def the_error_of(url):
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
        error = the_error_of(self.slack.url)

        expect(error).to(be_a(SlackRejected))
        expect(str(error)).to(equal("Slack answered 404: channel_not_found"))

    with it("rejects with anything but ok where it is Slack's own"):
        self.slack.refusals.append(said(200, "<html>a proxy's page</html>"))

        with patch.object(webhooks, "HOSTS", ("127.0.0.1",)):
            expect(the_error_of(self.slack.url)).to(be_a(SlackRejected))

    with it("takes any 2xx of others that speak its language, and nothing else"):
        self.slack.refusals += [said(200, '{"success":true}'), said(204, ""), said(302, "ok")]

        expect([the_error_of(self.slack.url) for _ in range(2)]).to(equal([None, None]))
        expect(the_error_of(self.slack.url)).to(be_a(SlackRejected))

    with it("knows Slack by its host, and nobody who has it in his name"):
        for host, words in (
            ("hooks.slack.com", "ok"),
            ("hooks.slack-gov.com", "ok"),
            ("slack.com.evil.example", "fine"),
            ("notslack.com", "fine"),
        ):
            answer = Response()
            answer.status_code, answer._content = 200, words.encode()
            with patch.object(webhooks, "asked", lambda *_, answer=answer: answer):
                SlackWebhook(f"https://{host}/services/x").post(MESSAGE)

    with it("is not followed to where it redirects"):
        self.slack.refusals.append(said(302, "moved", Location="http://127.0.0.1:9/"))

        expect(the_error_of(self.slack.url)).to(be_a(SlackRejected))

    with it("says how long to wait"):
        self.slack.refusals.append(rate_limited(30))
        error = the_error_of(self.slack.url)

        expect(error).to(be_a(Throttled))
        expect(error.retry_after).to(equal(30.0))

    with it("may be back later when it is broken"):
        self.slack.refusals.append(said(503, "down"))

        expect(the_error_of(self.slack.url)).to(be_a(SlackUnavailable))

    with it("may be back later when nobody listens"):
        expect(the_error_of(NOBODY_LISTENS)).to(be_a(SlackUnavailable))

    with it("is given up after a deadline"):
        self.slack.answer = lambda asked: time.sleep(0.3) or OK
        with patch.object(webhooks, "TIMEOUT", (0.1, 0.1)):
            expect(the_error_of(self.slack.url)).to(be_a(SlackUnavailable))

    with description("its URL"):
        with it("is in no error, nor in what caused it"):
            self.slack.refusals.append(said(404, f"no {self.slack.url}"))
            for error in (the_error_of(self.slack.url), the_error_of(NOBODY_LISTENS)):
                told = "".join(traceback.format_exception(None, error, error.__traceback__))

                expect([error.__cause__, error.__context__]).to(equal([None, None]))
                for secret in ("spec-webhook", "B0/secret"):
                    expect(told).not_to(contain(secret))

        with it("is in no error that was pickled"):
            expect(str(pickle.loads(pickle.dumps(the_error_of(NOBODY_LISTENS))))).not_to(
                contain("secret")
            )

        with it("is in no log of the HTTP library"):
            with patch("logging.Logger.handle") as handle:
                the_error_of(NOBODY_LISTENS)
                said = [call.args[0].getMessage() for call in handle.call_args_list]

            expect([line for line in said if "secret" in line]).to(be_empty)
