"""The packaged function as Lambda runs it, by its own runtime, with a cloud and an API server on
loopback."""

import base64
import json

from expects import contain, equal, expect, have_len
from mamba import after, before, description, it

from specs.support.bytecode import compile_all
from specs.support.conditions import not_run_unless
from specs.support.engines.lambda_function import AWSLAMBDARIC, CLUSTER, LambdaFunction
from specs.support.engines.process import a_fresh_alert
from specs.support.loopback.aws_cloud import KEYS, MOTO, ROLE, AwsCloud
from specs.support.loopback.certificates import a_certificate, an_authority
from specs.support.loopback.eks import Role, Verifier
from specs.support.loopback.server import Answer, LoopbackServer, nothing_there

POD = "/api/v1/namespaces/shop/pods/web-0"
ROLES = {
    KEYS["AWS_ACCESS_KEY_ID"]: Role(ROLE, KEYS["AWS_SECRET_ACCESS_KEY"], KEYS["AWS_SESSION_TOKEN"])
}


def of_sqs(*bodies):
    return {
        "Records": [
            {"eventSource": "aws:sqs", "messageId": f"m-{number}", "body": body}
            for number, body in enumerate(bodies, 1)
        ]
    }


def started(cloud, *words, **environ):
    function = LambdaFunction(*CLUSTER, *words, environ={**cloud.environ, **environ})
    compile_all(function.root)
    return function.start()


# They take seconds to begin, in which other specs run.
if AWSLAMBDARIC.holds and MOTO.holds:
    # A region of its own, as other specs forget what theirs was given.
    AUTHORITY, CLOUD = an_authority(), AwsCloud("eu-west-2")
    SERVER = LoopbackServer(a_certificate(AUTHORITY, "127.0.0.1"), answer=nothing_there)
    CLOUD.make_cluster("prod", SERVER.url, base64.b64encode(AUTHORITY.pem).decode())
    CLOUD.keep("settings", json.dumps({"rules": "Another rule"}))
    FIRST, SECOND = started(CLOUD), started(CLOUD)
    CONFIGURED = started(CLOUD, "-s", "RULES=settings/rules")
    WRONG = started(CLOUD, TOPICS="falco..x")
    GONE = started(CLOUD, "-s", "RULES=gone/rules")

with description("The zip file of a function, run by Lambda's own runtime,") as self:
    with after.all:
        for function in (FIRST, SECOND, CONFIGURED, WRONG, GONE):
            function.__exit__()
        SERVER.stop()
        CLOUD.stop()

    with before.each:
        SERVER.answer = nothing_there
        SERVER.asked.clear()

    with it("answers an alert on the cluster that EKS describes, as its role"):
        with FIRST as function:
            outcomes = [function.invoke(a_fresh_alert()) for _ in range(2)]
            invalid = function.invoke({})
            logged = [(each["event_id"], each["reason"]) for each in function.outcomes]

        expect([(each.error, each.document["reason"]) for each in (*outcomes, invalid)]).to(
            equal([(False, "pod-gone"), (False, "pod-gone"), (False, "invalid-alert")])
        )
        asked = [each for each in SERVER.asked if each.path == POD]
        expect(asked).to(have_len(2))
        for each in asked:
            token = each.headers["authorization"][len("Bearer ") :]
            expect(Verifier("prod", ROLES).role_of(token)).to(equal(ROLE))
        expect(logged).to(
            equal(
                [
                    ("request-1", "pod-gone"),
                    ("request-2", "pod-gone"),
                    ("request-3", "invalid-alert"),
                ]
            )
        )

    with it("has Lambda try again what may succeed later, and SQS only that"):
        forbidden = Answer(403, {"kind": "Status", "message": "no", "code": 403})
        away = Answer(503, {"kind": "Status", "message": "not ready", "code": 503})
        text = json.dumps(a_fresh_alert())
        message = {"Records": [{"EventSource": "aws:sns", "Sns": {"Message": text}}]}
        with SECOND as function:
            SERVER.answer = lambda asked: forbidden
            taken = function.invoke(of_sqs(text, "{"))
            SERVER.answer = lambda asked: away
            batch = function.invoke(of_sqs(text), left=0.4)
            raised = function.invoke(message, left=0.4)
            log = function.log

        expect((taken.error, taken.document)).to(equal((False, {"batchItemFailures": []})))
        expect((batch.error, batch.document)).to(
            equal((False, {"batchItemFailures": [{"itemIdentifier": "m-1"}]}))
        )
        expect((raised.error, raised.document["errorType"])).to(equal((True, "AlertToTryAgain")))
        expect(raised.document["errorMessage"]).to(contain("cluster-unavailable"))
        expect(log).not_to(contain("k8s-aws-v1."))

    with it("reads settings of Secrets Manager when it starts"):
        with CONFIGURED as function:
            outcome = function.invoke(a_fresh_alert()).document

        expect(outcome["reason"]).to(equal("rule-not-listed"))

    with it("does not start with a wrong setting, or without a secret, and says which"):
        expect(WRONG.refusal()).to(contain("TOPICS is 'falco..x', expected NATS topics"))
        expect(GONE.refusal()).to(contain("secret gone", "ResourceNotFoundException"))


not_run_unless(AWSLAMBDARIC, globals())
not_run_unless(MOTO, globals())
