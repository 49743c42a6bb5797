import io
import json
from contextlib import redirect_stderr
from dataclasses import replace
from datetime import datetime

from expects import be_empty, contain, equal, expect, have_len, raise_error
from mamba import before, description, it

from playbooks.core.errors import ClusterUnavailable, InvalidSetting, NotPermitted
from playbooks.core.outcome import Outcome
from playbooks.delete import playbook
from playbooks.engines import aws_lambda
from playbooks.engines.aws_lambda import AlertToTryAgain
from playbooks.testing import InMemoryCluster, a_document, a_pod, an_alert, some_collaborators

ALERT = a_document(output_fields=dict(an_alert().fields))
TEXT = json.dumps(ALERT)
OTHER = json.dumps({**ALERT, "output_fields": {**ALERT["output_fields"], "n": 1}})


class Context:
    """``left``: seconds, one for each time that it is asked; the last for ever."""

    aws_request_id = "r-1"

    def __init__(self, *left):
        self._left = [*left]

    def get_remaining_time_in_millis(self):
        return int(1000 * (self._left.pop(0) if len(self._left) > 1 else self._left[0]))


def of_sqs(*bodies, queue="falco"):
    """As Lambda has them.
    Source: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html"""
    return {
        "Records": [
            {
                "messageId": f"m-{number}",
                "receiptHandle": "AQEB",
                "body": body,
                "attributes": {"ApproximateReceiveCount": "1"},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:eu-west-1:123456789012:{queue}",
                "awsRegion": "eu-west-1",
            }
            for number, body in enumerate(bodies, 1)
        ]
    }


def of_sns(message, attributes=None):
    """Source: https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html"""
    return {
        "Records": [
            {
                "EventVersion": "1.0",
                "EventSource": "aws:sns",
                "EventSubscriptionArn": "arn:aws:sns:eu-west-1:123456789012:falco:1",
                "Sns": {
                    "Type": "Notification",
                    "MessageId": "n-1",
                    "TopicArn": "arn:aws:sns:eu-west-1:123456789012:falco",
                    "Message": message,
                    "MessageAttributes": attributes or {},
                },
            }
        ]
    }


def of_event_bridge(detail):
    """Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events.html"""
    return {
        "version": "0",
        "id": "e-1",
        "detail-type": "Falco alert",
        "source": "falco",
        "account": "123456789012",
        "time": "2026-01-02T03:04:05Z",
        "region": "eu-west-1",
        "resources": [],
        "detail": detail,
    }


with description("A function of AWS Lambda") as self:
    with before.each:
        self.cluster = InMemoryCluster(a_pod())
        self.log = io.StringIO()

    def made(self, given=playbook, **environ):
        collaborators = some_collaborators(self.cluster)
        return aws_lambda.handler(given, environ, collaborators, patience=0.0)

    def call(self, event, context=None, given=playbook):
        with redirect_stderr(self.log):
            return self.made(given)(event, context or Context(60))

    def logged(self):
        return [json.loads(line) for line in self.log.getvalue().splitlines() if line[:1] == "{"]

    def fails(self, *errors):
        self.cluster.failures["pod"] = [*errors]

    with it("is not made with a wrong setting: it is read once, at the start"):
        expect(lambda: self.made(TOPICS="falco..x")).to(
            raise_error(InvalidSetting, contain("TOPICS"))
        )

    with description("that is invoked with an alert"):
        with it("returns the outcome, and logs it with the name of the request"):
            expect(self.call(ALERT)["reason"]).to(equal("deletion-accepted"))
            expect([each["event_id"] for each in self.logged()]).to(equal(["r-1"]))

        with it("returns what would fail again, so that nobody invokes it once more"):
            self.fails(NotPermitted("pods is forbidden"))

            expect(self.call(ALERT)["reason"]).to(equal("not-permitted"))
            expect(self.call([ALERT])["reason"]).to(equal("invalid-alert"))

        with it("raises what may succeed later, with the reason and without a secret"):
            self.fails(ClusterUnavailable("no answer to token=hunter2secret"))
            try:
                said = self.call(ALERT)
            except AlertToTryAgain as error:
                said = str(error)

            expect(said).to(contain("cluster-unavailable: no answer"))
            expect(said).not_to(contain("hunter2secret"))

        with it("records what failed although it raises: who waits for it does not try again"):
            recorded = []

            class Recorder:
                def record(self, alert, outcome):
                    recorded.append(outcome.reason)

            collaborators = replace(some_collaborators(self.cluster), recorders=(Recorder(),))
            handler = aws_lambda.handler(playbook, {}, collaborators, patience=0.0)
            self.fails(ClusterUnavailable("no answer"))
            with redirect_stderr(self.log):
                expect(lambda: handler(ALERT, Context(60))).to(raise_error(AlertToTryAgain))

            expect(recorded).to(equal(["cluster-unavailable"]))

        with it("takes no key of an alert for an envelope"):
            for beside in ({"detail": {}, "detail-type": "x"}, {"eventSource": "aws:sqs"}):
                self.cluster.put(a_pod())

                expect(self.call({**ALERT, **beside})["reason"]).to(equal("deletion-accepted"))

        with it("returns JSON whatever the playbook put into its outcome, and acts once"):
            for odd in (
                float("nan"),
                {1, 2},
                datetime(2026, 1, 2),
                b"\xff",
                "\ud83d",
                {"a": float("inf")},
            ):
                acted = []

                class Odd(playbook.reaction):
                    def plan(self, alert, odd=odd, acted=acted):
                        acted.append(alert)
                        return Outcome.acted("pod shop/web-0", "odd", "it acted", odd=odd)

                given = replace(playbook, build=lambda s, c, Odd=Odd: _built(Odd, s, c))
                returned = self.call(ALERT, given=given)
                text = json.dumps(returned, allow_nan=False, ensure_ascii=False).encode()

                expect((returned["reason"], len(acted))).to(equal(("odd", 1)))
                expect(text).to(contain(b"it acted"))

    with description("for messages of SNS"):
        with it("answers the alert in the message"):
            expect(self.call(of_sns(TEXT))["reason"]).to(equal("deletion-accepted"))
            expect([each["event_id"] for each in self.logged()]).to(equal(["n-1"]))

        with it("has Lambda try again what may succeed later, and returns everything else"):
            self.fails(ClusterUnavailable("no answer"))
            expect(lambda: self.call(of_sns(TEXT))).to(raise_error(AlertToTryAgain))

            for message in (None, 7, "{", "[]"):
                expect(self.call(of_sns(message))["reason"]).to(equal("invalid-alert"))
            expect(self.call({"Records": [{"EventSource": "aws:sns"}]})["reason"]).to(
                equal("invalid-alert")
            )

        with it("says what Falcosidekick lacks where it sends the text of an alert only"):
            attributes = {"rule": {"Type": "String", "Value": "Terminal shell in container"}}
            said = self.call(of_sns("03:04:05.0: Notice A shell", attributes))

            expect(said["reason"]).to(equal("invalid-alert"))
            expect(said["message"]).to(contain("set aws.sns.rawjson of Falcosidekick to true"))

    with description("for events of EventBridge"):
        with it("answers the alert in the detail"):
            expect(self.call(of_event_bridge(ALERT))["reason"]).to(equal("deletion-accepted"))
            expect([each["event_id"] for each in self.logged()]).to(equal(["e-1"]))

        with it("has Lambda try again what may succeed later, and returns what would fail again"):
            self.fails(ClusterUnavailable("no answer"))
            expect(lambda: self.call(of_event_bridge(ALERT))).to(raise_error(AlertToTryAgain))

            expect(self.call(of_event_bridge({"a": "scheduled"}))["reason"]).to(
                equal("invalid-alert")
            )

    with description("for batches of SQS"):
        with it("has only those come again that may succeed later"):
            self.fails(ClusterUnavailable("no answer"))
            returned = self.call(of_sqs(TEXT, "{", OTHER))

            expect(returned).to(equal({"batchItemFailures": [{"itemIdentifier": "m-1"}]}))
            expect([(each["event_id"], each["reason"]) for each in self.logged()]).to(
                equal(
                    [
                        ("m-1", "cluster-unavailable"),
                        ("m-2", "invalid-alert"),
                        ("m-3", "deletion-accepted"),
                    ]
                )
            )

        with it("has none come again where all are done, or would fail again"):
            self.fails(NotPermitted("pods is forbidden"))

            expect(self.call(of_sqs(TEXT, TEXT, "", None))["batchItemFailures"]).to(be_empty)

        with it("keeps the order of a queue that has one: what follows a failure comes again too"):
            self.fails(ClusterUnavailable("no answer"))
            returned = self.call(of_sqs(TEXT, OTHER, queue="falco.fifo"))

            names = [each["itemIdentifier"] for each in returned["batchItemFailures"]]
            expect(names).to(equal(["m-1", "m-2"]))
            expect(self.cluster.writes).to(be_empty)

        with it("leaves in the queue what it has no time for, and always answers the first"):
            returned = self.call(of_sqs(TEXT, OTHER, OTHER), Context(5))

            names = [each["itemIdentifier"] for each in returned["batchItemFailures"]]
            expect(names).to(equal(["m-2", "m-3"]))
            expect([each["event_id"] for each in self.logged()]).to(equal(["m-1"]))

        with it("answers what came to the queue by SNS, which wraps it"):
            wrapped = json.dumps({"Type": "Notification", "MessageId": "n-1", "Message": TEXT})
            self.call(of_sqs(wrapped))

            expect([each["reason"] for each in self.logged()]).to(equal(["deletion-accepted"]))

        with it("has the whole batch come again where a message that failed has no name"):
            self.fails(ClusterUnavailable("no answer"))
            event = of_sqs(TEXT)
            del event["Records"][0]["messageId"]

            expect(lambda: self.call(event)).to(raise_error(AlertToTryAgain))

        with it("goes on after a playbook that exits, or a message that is no message"):
            self.fails(SystemExit(3))
            event = of_sqs(TEXT, OTHER)
            returned = self.call(event)

            expect(returned["batchItemFailures"]).to(be_empty)
            expect([each["reason"] for each in self.logged()]).to(
                equal(["unexpected", "deletion-accepted"])
            )

    with it("says what it does not read, such as the records of a stream, and acts on none"):
        for records in (
            [{"eventSource": "aws:kinesis", "kinesis": {"data": "e30="}}],
            [*of_sqs(TEXT)["Records"], *of_sns(TEXT)["Records"]],
            [],
            [7],
        ):
            returned = self.call({"Records": records})

            expect(returned["reason"]).to(equal("invalid-alert"))
            expect(returned["message"]).to(contain("expected those of aws:sqs or aws:sns"))
        expect(self.cluster.writes).to(be_empty)
        expect(self.logged()).to(have_len(4))


def _built(reaction, settings, collaborators):
    made = playbook.build(settings, collaborators)
    made.__class__ = reaction
    return made
