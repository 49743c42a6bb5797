"""What ``aws`` is given for a function of Lambda: a list of words for each command."""

from __future__ import annotations

from typing import List

from playbooks.deployment.engines.aws_lambda.options import (
    ON_FAILURE,
    QUEUE,
    ROLE,
    VPC,
)
from playbooks.deployment.engines.aws_lambda.package import MACHINE, PYTHON
from playbooks.deployment.engines.cloud import REGION, TOPIC
from playbooks.deployment.request.options import Options
from playbooks.deployment.request.request import Request
from playbooks.engines.aws_lambda import TIMEOUT
from playbooks.infrastructure.amazon.settings import EKS_CLUSTER

# An instance answers one event at a time, and so many answer at once: the ledger holds for all.
INSTANCES, MEMORY = 5, 512

# Messages that an invocation is given at most: it has to end in time.
BATCH = 10

# Of an event that Lambda itself keeps: how often it is given again, and seconds until it is given
# up. Alerts of that age are stale in any case.
RETRIES, EVENT_AGE = 2, 3600


def place(options: Options) -> List[str]:
    return ["--region", options.own[REGION.name]]


def _of(request: Request) -> List[str]:
    return ["--function-name", request.function]


def _configuration(options: Options, environment: str) -> List[str]:
    own = options.own
    vpc = ["--vpc-config", own[VPC.name]] if VPC.name in own else []
    return [
        *("--runtime", f"python{PYTHON}", "--handler", "main.handler", "--role", own[ROLE.name]),
        *("--timeout", str(TIMEOUT), "--memory-size", str(MEMORY)),
        *("--environment", f"file://{environment}", *vpc),
    ]


def create(request: Request, options: Options, code: str, environment: str) -> List[str]:
    words = ["aws", "lambda", "create-function", *_of(request), *place(options)]
    words += _configuration(options, environment)
    return [*words, "--architectures", MACHINE, "--zip-file", f"fileb://{code}"]


def update(request: Request, options: Options, code: str, environment: str) -> List[List[str]]:
    """The settings first: the code of before takes more of them than it knows."""
    words = ["aws", "lambda", "update-function-configuration", *_of(request), *place(options)]
    coded = ["aws", "lambda", "update-function-code", *_of(request), *place(options)]
    coded += ["--architectures", MACHINE, "--zip-file", f"fileb://{code}"]
    waited = wait("updated", request, options)
    return [[*words, *_configuration(options, environment)], waited, coded, waited]


def wait(state: str, request: Request, options: Options) -> List[str]:
    return ["aws", "lambda", "wait", f"function-{state}-v2", *_of(request), *place(options)]


def kept(request: Request, options: Options) -> List[List[str]]:
    """How long Lambda itself keeps an event, and how many instances there are."""
    own = options.own
    kept = ["aws", "lambda", "put-function-event-invoke-config", *_of(request), *place(options)]
    kept += ["--maximum-retry-attempts", str(RETRIES)]
    kept += ["--maximum-event-age-in-seconds", str(EVENT_AGE)]
    if ON_FAILURE.name in own:
        kept += ["--destination-config", f"OnFailure={{Destination={own[ON_FAILURE.name]}}}"]
    reserved = ["aws", "lambda", "put-function-concurrency", *_of(request), *place(options)]
    return [kept, [*reserved, "--reserved-concurrent-executions", str(INSTANCES)]]


def mapped(request: Request, options: Options, known: str = "") -> List[str]:
    """``known``: the mapping that is there. Without the response type, a message that failed is
    deleted with the others."""
    verb, which = "update", ["--uuid", known]
    if not known:
        verb, which = "create", ["--event-source-arn", options.own[QUEUE.name]]
    return [
        *("aws", "lambda", f"{verb}-event-source-mapping", *_of(request), *place(options), *which),
        *("--batch-size", str(BATCH), "--function-response-types", "ReportBatchItemFailures"),
        *("--scaling-config", f"MaximumConcurrency={INSTANCES}", "--enabled"),
    ]


def subscribed(request: Request, options: Options, arn: str) -> List[List[str]]:
    topic = options.own[TOPIC.name]
    return [
        [
            *("aws", "lambda", "add-permission", *_of(request), *place(options)),
            *("--statement-id", "sns-" + topic.rpartition(":")[2]),
            *("--action", "lambda:InvokeFunction", "--principal", "sns.amazonaws.com"),
            *("--source-arn", topic),
        ],
        [
            *("aws", "sns", "subscribe", *place(options), "--topic-arn", topic),
            *("--protocol", "lambda", "--notification-endpoint", arn),
        ],
    ]


def entry(request: Request, options: Options) -> List[str]:
    return [
        *("aws", "eks", "create-access-entry", *place(options)),
        *("--cluster-name", request.values[EKS_CLUSTER.name]),
        *("--principal-arn", options.own[ROLE.name], "--kubernetes-groups", request.function),
    ]


def removed_mapping(name: str, options: Options) -> List[str]:
    return ["aws", "lambda", "delete-event-source-mapping", "--uuid", name, *place(options)]


def listed_mappings(function: str, options: Options) -> List[str]:
    """Prints the name and the source of each, also where the function itself is gone."""
    ours = f"ends_with(FunctionArn, ':function:{function}')"
    asked = f"EventSourceMappings[?{ours}].[UUID, EventSourceArn]"
    words = ["aws", "lambda", "list-event-source-mappings", *place(options)]
    return [*words, "--query", asked, "--output", "text"]


def listed_subscriptions(arn: str, options: Options) -> List[str]:
    """Prints the name and the topic of each."""
    asked = f"Subscriptions[?Endpoint=='{arn}'].[SubscriptionArn, TopicArn]"
    words = ["aws", "sns", "list-subscriptions", *place(options)]
    return [*words, "--query", asked, "--output", "text"]


def unsubscribe(name: str, options: Options) -> List[str]:
    return ["aws", "sns", "unsubscribe", "--subscription-arn", name, *place(options)]


def found(function: str, options: Options) -> List[str]:
    """Prints its ARN, or nothing."""
    asked = f"Functions[?FunctionName=='{function}'].FunctionArn"
    words = ["aws", "lambda", "list-functions", *place(options)]
    return [*words, "--query", asked, "--output", "text"]


def delete(function: str, options: Options) -> List[str]:
    return ["aws", "lambda", "delete-function", "--function-name", function, *place(options)]
