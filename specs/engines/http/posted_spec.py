import io
import json
from contextlib import redirect_stderr

from expects import contain, equal, expect, raise_error
from mamba import before, description, it

from playbooks.core.errors import InvalidSetting
from playbooks.delete import playbook
from playbooks.engines.http import bearer
from playbooks.engines.http.content_encoding import LARGEST, BodyRefused
from playbooks.engines.http.posted import Post, body_of
from playbooks.testing import InMemoryCluster, a_document, a_pod, an_alert, some_collaborators
from specs.support.engines.callers import flask_request

ALERT = json.dumps(a_document(output_fields=dict(an_alert().fields))).encode()
TOKEN = "a-token-of-some-length"


def unread():
    raise AssertionError("the body is read")


def unreadable():
    raise BodyRefused(415, "not so")


with description("An alert that is posted to a function") as self:
    with before.each:
        self.cluster = InMemoryCluster(a_pod())
        self.environ = {}

    def made(self):
        collaborators = some_collaborators(self.cluster)
        token = bearer.setting("router")
        return Post(playbook, self.environ, collaborators, token=token, seconds=0.0)

    def answer(self, body=lambda: ALERT, method="POST", post=None, **headers):
        with redirect_stderr(io.StringIO()):
            return (post or self.made()).answer(method, headers, body, event_id="1")

    with it("is answered with the outcome as JSON"):
        text, status, headers = self.answer()

        expect((status, json.loads(text)["reason"])).to(equal((200, "deletion-accepted")))
        expect(headers).to(equal({"Content-Type": "application/json"}))

    with it("is read only with the token, where there is one, as it is by now"):
        self.environ["HTTP_TOKEN"] = TOKEN
        post = self.made()

        expect(self.answer(unread, post=post)[1]).to(equal(401))
        expect(self.answer(post=post, Authorization=f"Bearer {TOKEN}")[1]).to(equal(200))
        self.environ["HTTP_TOKEN"] = f"another-{TOKEN}"
        expect(self.answer(unread, post=post, Authorization=f"Bearer {TOKEN}")[1]).to(equal(401))

    with it("has a token that cannot be guessed, or none"):
        self.environ["HTTP_TOKEN"] = "short"

        expect(lambda: self.made()).to(raise_error(InvalidSetting, contain("HTTP_TOKEN")))

    with it("is posted, and not got"):
        _, status, headers = self.answer(unread, method="GET")

        expect((status, headers["Allow"])).to(equal((405, "POST")))

    with it("is refused where its body cannot be read, with the reason"):
        text, status, _ = self.answer(unreadable)

        expect((status, json.loads(text))).to(equal((415, {"error": "not so"})))
        expect(self.cluster.calls).to(equal([]))

    with it("is read of a request of Flask up to the largest that is taken"):
        expect(body_of(flask_request(bytes(LARGEST)))).to(equal(bytes(LARGEST)))
        request = flask_request(bytes(LARGEST + 1))

        expect(lambda: body_of(request)).to(raise_error(BodyRefused, contain("at most")))
