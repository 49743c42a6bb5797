"""The directory that faas-cli builds, served by the template's own server, with an API server on
loopback that knows no pod."""

import json
import tempfile
from pathlib import Path

from expects import contain, equal, expect
from mamba import after, before, description, it

from specs.support.conditions import not_run_unless
from specs.support.engines.openfaas_function import OPENFAAS_TEMPLATE, OpenFaasFunction
from specs.support.engines.process import a_fresh_alert
from specs.support.loopback.certificates import a_certificate, an_authority
from specs.support.loopback.kubeconfigs import Kubeconfigs
from specs.support.loopback.server import LoopbackServer, nothing_there

TOKEN = "a-token-of-some-length"


with description("The function that faas-cli builds, served by OpenFaaS' template,") as self:
    with before.all:
        self.directory = tempfile.TemporaryDirectory()
        authority = an_authority()
        self.server = LoopbackServer(a_certificate(authority, "127.0.0.1"), answer=nothing_there)
        path = Path(self.directory.name, "kubeconfig")
        path.write_text(Kubeconfigs(self.server, authority).text())
        self.environ = {"KUBECONFIG": str(path), "HTTP_TOKEN": TOKEN}

    with after.all:
        self.server.stop()
        self.directory.cleanup()

    with it("answers what has the token, with the status and the outcome, also what is no alert"):
        kind = {"Content_Type": "application/json; charset=utf-8"}
        with OpenFaasFunction("-s", "KUBECONFIG=k/k", environ=self.environ) as function:
            refused, _ = function.post(json.dumps(a_fresh_alert()).encode(), **kind)
            token = {"Authorization": f"Bearer {TOKEN}"}
            answer = function.post(json.dumps(a_fresh_alert()).encode(), **kind, **token)
            invalid, outcome = function.post(b"{}", **kind, **token)

        expect((refused, answer[0], invalid)).to(equal((401, 200, 400)))
        expect((answer[1]["reason"], outcome["reason"])).to(equal(("pod-gone", "invalid-alert")))
        expect([each["reason"] for each in function.outcomes]).to(equal(["pod-gone"]))

    with it("does not start with a wrong setting, and says which"):
        try:
            with OpenFaasFunction(environ={**self.environ, "TOPICS": "falco..x"}):
                said = ""
        except AssertionError as error:
            said = str(error)

        expect(said).to(contain("TOPICS is 'falco..x', expected NATS topics"))


not_run_unless(OPENFAAS_TEMPLATE, globals())
