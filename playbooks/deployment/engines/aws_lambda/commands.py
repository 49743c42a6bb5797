"""What ``aws`` is given for a function of Lambda: a list of words for each command, and the policy
of its role."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

from playbooks.deployment.engines.aws_lambda.options import (
    ON_FAILURE,
    QUEUE,
    ROLE,
    VPC,
)
from playbooks.deployment.engines.aws_lambda.package import MACHINE, PYTHON
from playbooks.deployment.engines.pushed import REGION, TOPIC
from playbooks.deployment.request.options import Options
from playbooks.deployment.request.request import Request
from playbooks.engines.pushed import TIMEOUT
from playbooks.infrastructure.amazon.settings import EKS_CLUSTER, EKS_ENDPOINT

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


def account(options: Options) -> Tuple[str, str]:
    """The partition and the number of the account of the role."""
    parts = str(options.own[ROLE.name]).split(":")
    return parts[1], parts[4]


def arn(request: Request, options: Options) -> str:
    partition, number = account(options)
    region = options.own[REGION.name]
    return f"arn:{partition}:lambda:{region}:{number}:function:{request.function}"


def policy(request: Request, options: Options) -> Dict[str, Any]:
    """As IAM takes it. Evidence wants what its bucket wants, beside."""
    own, (partition, number) = options.own, account(options)
    here = f"{own[REGION.name]}:{number}"
    log = f"arn:{partition}:logs:{here}:log-group:/aws/lambda/{request.function}:*"
    stated = [
        _allowed(
            [f"logs:{verb}" for verb in ("CreateLogGroup", "CreateLogStream", "PutLogEvents")],
            [log],
        )
    ]
    named = request.values.get(EKS_CLUSTER.name)
    if named and not request.values.get(EKS_ENDPOINT.name):
        cluster = f"arn:{partition}:eks:{here}:cluster/{named}"
        stated.append(_allowed(["eks:DescribeCluster"], [cluster]))
    if request.references:
        # Secrets Manager puts six characters behind a name.
        secrets = sorted({f"{each.secret}-??????" for each in request.references})
        where = [f"arn:{partition}:secretsmanager:{here}:secret:{name}" for name in secrets]
        stated.append(_allowed(["secretsmanager:GetSecretValue"], where))
    if QUEUE.name in own:
        verbs = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
        stated.append(_allowed([f"sqs:{verb}" for verb in verbs], [own[QUEUE.name]]))
    if VPC.name in own:
        verbs = ("CreateNetworkInterface", "DescribeNetworkInterfaces", "DeleteNetworkInterface")
        stated.append(_allowed([f"ec2:{verb}" for verb in verbs], ["*"]))
    if ON_FAILURE.name in own:
        service = own[ON_FAILURE.name].split(":")[2]
        verb = {"sqs": "SendMessage", "sns": "Publish", "s3": "PutObject"}.get(service)
        stated += [_allowed([f"{service}:{verb}"], [own[ON_FAILURE.name]])] if verb else []
    return {"Version": "2012-10-17", "Statement": stated}


def _allowed(actions: List[str], resources: List[str]) -> Dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resources}
