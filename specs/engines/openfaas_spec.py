import gzip
import io
import json
import tempfile
from contextlib import redirect_stderr
from pathlib import Path

from expects import contain, equal, expect
from mamba import before, description, it

from playbooks.core.errors import InvalidSetting, Throttled
from playbooks.delete import playbook
from playbooks.engines import openfaas
from playbooks.testing import InMemoryCluster, a_document, a_pod, an_alert, some_collaborators
from specs.support.engines.callers import OPENFAAS_CONTEXT, openfaas_event

ALERT = json.dumps(a_document(output_fields=dict(an_alert().fields))).encode()
TOKEN = "a-token-of-some-length"

with description("A function of OpenFaaS") as self:
    with before.each:
        self.cluster = InMemoryCluster(a_pod())
        self.log = io.StringIO()

    def call(self, body=ALERT, method="POST", environ=None, **headers):
        collaborators = some_collaborators(self.cluster)
        handle = openfaas.handler(playbook, environ or {}, collaborators, patience=0.0)
        with redirect_stderr(self.log):
            return handle(openfaas_event(body, method, **headers), OPENFAAS_CONTEXT)

    with it("answers what the gateway posts, with a text, which the template sends as it is"):
        answer = self.call(X_Call_Id="c-1")

        expect(answer["statusCode"]).to(equal(200))
        expect(json.loads(answer["body"])["reason"]).to(equal("deletion-accepted"))
        expect(answer["headers"]).to(equal({"Content-Type": "application/json"}))
        expect(json.loads(self.log.getvalue())["event_id"]).to(equal("c-1"))

    with it("inflates what Falco compressed"):
        answer = self.call(gzip.compress(ALERT), Content_Encoding="gzip")

        expect(json.loads(answer["body"])["reason"]).to(equal("deletion-accepted"))

    with it("says when to come again where the API server says it"):
        self.cluster.failures["pod"] = [Throttled("slow down", retry_after=7)]
        answer = self.call()

        expect((answer["statusCode"], answer["headers"]["Retry-After"])).to(equal((429, "7")))

    with it("takes alerts by POST only"):
        answer = self.call(b"", "GET")

        expect((answer["statusCode"], answer["headers"]["Allow"])).to(equal((405, "POST")))

    with it("skips what no topic of its deployment reaches"):
        answer = self.call(environ={"TOPICS": "falco.critical.*"})

        expect(json.loads(answer["body"])["reason"]).to(equal("not-subscribed"))
        expect(self.cluster.calls).to(equal([]))

    with it("wants the token of its deployment, where there is one"):
        token = {"HTTP_TOKEN": TOKEN}
        without = self.call(environ=token)
        wrong = self.call(environ=token, Authorization="Bearer another-one")

        expect((without["statusCode"], wrong["statusCode"])).to(equal((401, 401)))
        expect(self.cluster.calls).to(equal([]))
        right = self.call(environ=token, Authorization=f"Bearer {TOKEN}")
        expect(right["statusCode"]).to(equal(200))

    with it("takes another token when its secret is another"):
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, "token")
            path.write_text(TOKEN + "\n")
            environ = {"HTTP_TOKEN_FILE": str(path)}
            collaborators = some_collaborators(self.cluster)
            handle = openfaas.handler(playbook, environ, collaborators, patience=0.0)
            path.write_text("another-of-some-length\n")
            event = openfaas_event(ALERT, Authorization="Bearer another-of-some-length")
            with redirect_stderr(self.log):
                answer = handle(event, OPENFAAS_CONTEXT)

        expect(answer["statusCode"]).to(equal(200))

    with it("does not start with a wrong setting: it is read once, at the start"):
        for environ in ({"TOPICS": "falco..x"}, {"HTTP_TOKEN": "short"}):
            try:
                openfaas.handler(playbook, environ)
                said = ""
            except InvalidSetting as error:
                said = str(error)

            expect(said).to(contain(next(iter(environ))))
