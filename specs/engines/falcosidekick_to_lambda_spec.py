"""Falcosidekick itself, to a function of AWS Lambda that runs here: which alert arrives, and what
becomes of it."""

import base64

from expects import contain, equal, expect, have_len
from mamba import after, before, description, it

from specs.support.conditions import not_run_unless
from specs.support.engines.falcosidekick import FALCOSIDEKICK, forwarded
from specs.support.engines.lambda_function import AWSLAMBDARIC, CLUSTER, LambdaApi, LambdaFunction
from specs.support.engines.process import a_fresh_alert
from specs.support.loopback.aws_cloud import KEYS, REGION
from specs.support.loopback.certificates import a_certificate, an_authority
from specs.support.loopback.server import Answer, LoopbackServer, nothing_there

RULE = "Zugriff auf Schlüssel"


with description("Falcosidekick, to a function of AWS Lambda,") as self:
    with before.each:
        authority = an_authority()
        self.server = LoopbackServer(a_certificate(authority, "127.0.0.1"), answer=nothing_there)
        self.environ = {
            **KEYS,
            "AWS_REGION": REGION,
            "EKS_ENDPOINT": self.server.url,
            "EKS_CA": base64.b64encode(authority.pem).decode(),
        }

    with after.each:
        self.server.stop()

    def send(self, api, says):
        """Falcosidekick's log, once it has sent an alert."""
        try:
            return forwarded(a_fresh_alert(rule=RULE), says, **api.settings)
        finally:
            api.stop()

    with it("invokes it by its Lambda output"):
        with LambdaFunction(*CLUSTER, environ=self.environ) as function:
            api = LambdaApi(function)
            self.send(api, "OK (200)")
            outcomes = function.outcomes

        expect([each["reason"] for each in outcomes]).to(equal(["pod-gone"]))
        expect(outcomes[0]["alert"]["rule"]).to(equal(RULE))
        expect(api.paths).to(equal(["/2015-03-31/functions/falco-delete/invocations"]))

    with it("sends an alert up to three times where Lambda itself fails, under one uuid"):
        with LambdaFunction(*CLUSTER, environ=self.environ) as function:
            api = LambdaApi(function, failures=2)
            self.send(api, "OK (200)")
            outcomes = function.outcomes

        expect(api.paths).to(have_len(3))
        expect(set(api.uuids)).to(have_len(1))
        expect([each["reason"] for each in outcomes]).to(equal(["pod-gone"]))

    with it("takes for a success that the function raised"):
        self.server.answer = lambda asked: Answer(503, {"kind": "Status", "code": 503})
        with LambdaFunction(*CLUSTER, environ=self.environ) as function:
            api = LambdaApi(function, left=1.0)
            log = self.send(api, "OK (200)")
            outcomes = function.outcomes

        expect(log).to(contain("Invoke OK (200)"))
        expect([each["reason"] for each in outcomes]).to(equal(["cluster-unavailable"]))


not_run_unless(FALCOSIDEKICK, globals())
not_run_unless(AWSLAMBDARIC, globals())
