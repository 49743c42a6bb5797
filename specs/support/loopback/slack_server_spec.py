import requests
from expects import equal, expect, have_len
from mamba import after, before, description, it

from playbooks.core.errors import SlackRejected, Throttled
from playbooks.infrastructure.webhooks import SlackWebhook
from specs.support.loopback.slack_server import INVALID_TOKEN, NO_SERVICE, SlackServer, rate_limited


def error_of(call):
    try:
        call()
    except (SlackRejected, Throttled) as error:
        return error
    raise AssertionError("Slack took it")


with description("Slack on the loopback") as self:
    with before.each:
        self.slack = SlackServer()

    with after.each:
        self.slack.stop()

    def post(self, body, path=""):
        return requests.post(self.slack.url + path, data=body, timeout=5)

    with it("takes a message and says ok"):
        answer = self.post('{"text": "hello"}')

        expect([answer.status_code, answer.text]).to(equal([200, "ok"]))
        expect(self.slack.messages).to(equal([{"text": "hello"}]))

    with it("refuses what is no JSON object, and what says nothing"):
        for body, words in (("{", "invalid_payload"), ("[]", "invalid_payload"), ("{}", "no_text")):
            answer = self.post(body)

            expect([answer.status_code, answer.text]).to(equal([400, words]))
        expect(self.slack.messages).to(have_len(0))

    with it("has no other webhook"):
        expect([self.post("{}", "x").status_code]).to(equal([404]))

    with it("is told about by our client, in Slack's words"):
        webhook = SlackWebhook(self.slack.url)
        for refusal, words in (
            (INVALID_TOKEN, "Slack answered 403: invalid_token"),
            (NO_SERVICE, "Slack answered 404: no_service"),
        ):
            self.slack.refusals.append(refusal)

            expect(str(error_of(lambda: webhook.post({"text": "hello"})))).to(equal(words))

    with it("asks for patience"):
        self.slack.refusals.append(rate_limited(7))
        error = error_of(lambda: SlackWebhook(self.slack.url).post({"text": "hello"}))

        expect(error.retry_after).to(equal(7.0))
