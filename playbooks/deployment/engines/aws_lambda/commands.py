"""What ``aws`` is given for a function of Lambda: a list of words for each command, and the policy
of its role."""

from __future__ import annotations

from typing import Any, Dict, List, Sequence, Tuple

from playbooks.deployment.engines.aws_lambda.options import ON_FAILURE, QUEUE, ROLE, VPC
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


def _aws(options: Options, service: str, verb: str, *words: str) -> List[str]:
    return ["aws", service, verb, *words, "--region", options.own[REGION.name]]


def _lambda(options: Options, verb: str, function: str, *words: str) -> List[str]:
    return _aws(options, "lambda", verb, "--function-name", function, *words)


def _configuration(options: Options, environment: str) -> List[str]:
    own = options.own
    vpc = ["--vpc-config", own[VPC.name]] if VPC.name in own else []
    return [
        *("--runtime", f"python{PYTHON}", "--handler", "main.handler", "--role", own[ROLE.name]),
        *("--timeout", str(TIMEOUT), "--memory-size", str(MEMORY)),
        *("--environment", f"file://{environment}", *vpc),
    ]


def _code(path: str) -> List[str]:
    return ["--architectures", MACHINE, "--zip-file", f"fileb://{path}"]


def create(request: Request, options: Options, code: str, environment: str) -> List[str]:
    words = [*_configuration(options, environment), *_code(code)]
    return _lambda(options, "create-function", request.function, *words)


def update(request: Request, options: Options, code: str, environment: str) -> List[List[str]]:
    """The settings first: the code of before takes more of them than it knows."""
    name, configured = request.function, _configuration(options, environment)
    return [
        _lambda(options, "update-function-configuration", name, *configured),
        wait("updated", request, options),
        _lambda(options, "update-function-code", name, *_code(code)),
        wait("updated", request, options),
    ]


def wait(state: str, request: Request, options: Options) -> List[str]:
    return _aws(
        options, "lambda", "wait", f"function-{state}-v2", "--function-name", request.function
    )


def keep_events(request: Request, options: Options) -> List[str]:
    """How long Lambda itself keeps an event."""
    words = ["--maximum-retry-attempts", str(RETRIES)]
    words += ["--maximum-event-age-in-seconds", str(EVENT_AGE)]
    if ON_FAILURE.name in options.own:
        destination = f"OnFailure={{Destination={options.own[ON_FAILURE.name]}}}"
        words += ["--destination-config", destination]
    return _lambda(options, "put-function-event-invoke-config", request.function, *words)


def reserve(request: Request, options: Options) -> List[str]:
    """How many instances there are."""
    words = ["--reserved-concurrent-executions", str(INSTANCES)]
    return _lambda(options, "put-function-concurrency", request.function, *words)


def map_queue(request: Request, options: Options, known: str = "") -> List[str]:
    """``known``: the mapping that is there. Without the response type, a message that failed is
    deleted with the others."""
    verb, which = "update", ["--uuid", known]
    if not known:
        verb, which = "create", ["--event-source-arn", options.own[QUEUE.name]]
    words = [
        *(*which, "--batch-size", str(BATCH)),
        *("--function-response-types", "ReportBatchItemFailures"),
        *("--scaling-config", f"MaximumConcurrency={INSTANCES}", "--enabled"),
    ]
    return _lambda(options, f"{verb}-event-source-mapping", request.function, *words)


def unmap(mapping: str, options: Options) -> List[str]:
    return _aws(options, "lambda", "delete-event-source-mapping", "--uuid", mapping)


def subscribe(request: Request, options: Options, arn: str) -> List[List[str]]:
    """None without a topic."""
    topic = options.own.get(TOPIC.name)
    if topic is None:
        return []
    allowed = [
        *("--statement-id", "sns-" + topic.rpartition(":")[2]),
        *("--action", "lambda:InvokeFunction", "--principal", "sns.amazonaws.com"),
        *("--source-arn", topic),
    ]
    to = ["--topic-arn", topic, "--protocol", "lambda", "--notification-endpoint", arn]
    return [
        _lambda(options, "add-permission", request.function, *allowed),
        _aws(options, "sns", "subscribe", *to),
    ]


def unsubscribe(subscription: str, options: Options) -> List[str]:
    return _aws(options, "sns", "unsubscribe", "--subscription-arn", subscription)


def create_access_entry(request: Request, options: Options) -> List[str]:
    cluster, role = request.values[EKS_CLUSTER.name], options.own[ROLE.name]
    words = ["--cluster-name", cluster, "--principal-arn", role]
    words += ["--kubernetes-groups", request.function]
    return _aws(options, "eks", "create-access-entry", *words)


def list_mappings(function: str, options: Options) -> List[str]:
    """Prints the name and the source of each, also where the function itself is gone."""
    ours = f"ends_with(FunctionArn, ':function:{function}')"
    query = f"EventSourceMappings[?{ours}].[UUID, EventSourceArn]"
    return _query(options, "lambda", "list-event-source-mappings", query)


def list_subscriptions(arn: str, options: Options) -> List[str]:
    """Prints the name and the topic of each."""
    query = f"Subscriptions[?Endpoint=='{arn}'].[SubscriptionArn, TopicArn]"
    return _query(options, "sns", "list-subscriptions", query)


def find(function: str, options: Options) -> List[str]:
    """Prints its ARN, or nothing."""
    query = f"Functions[?FunctionName=='{function}'].FunctionArn"
    return _query(options, "lambda", "list-functions", query)


def variables(function: str, options: Options) -> List[str]:
    """Prints those of the function that is there, as JSON."""
    words = ["--query", "Configuration.Environment.Variables", "--output", "json"]
    return _lambda(options, "get-function", function, *words)


def _query(options: Options, service: str, verb: str, query: str) -> List[str]:
    return _aws(options, service, verb, "--query", query, "--output", "text")


def delete(function: str, options: Options) -> List[str]:
    return _lambda(options, "delete-function", function)


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
    allowed = [_allow("logs", ("CreateLogGroup", "CreateLogStream", "PutLogEvents"), [log])]
    named = request.values.get(EKS_CLUSTER.name)
    if named and not request.values.get(EKS_ENDPOINT.name):
        cluster = f"arn:{partition}:eks:{here}:cluster/{named}"
        allowed.append(_allow("eks", ("DescribeCluster",), [cluster]))
    if request.references:
        # Secrets Manager puts six characters behind a name.
        secrets = sorted({f"{each.secret}-??????" for each in request.references})
        where = [f"arn:{partition}:secretsmanager:{here}:secret:{name}" for name in secrets]
        allowed.append(_allow("secretsmanager", ("GetSecretValue",), where))
    if QUEUE.name in own:
        verbs = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
        allowed.append(_allow("sqs", verbs, [own[QUEUE.name]]))
    if VPC.name in own:
        verbs = ("CreateNetworkInterface", "DescribeNetworkInterfaces", "DeleteNetworkInterface")
        allowed.append(_allow("ec2", verbs, ["*"]))
    if ON_FAILURE.name in own:
        service = own[ON_FAILURE.name].split(":")[2]
        verb = {"sqs": "SendMessage", "sns": "Publish", "s3": "PutObject"}.get(service)
        allowed += [_allow(service, (verb,), [own[ON_FAILURE.name]])] if verb else []
    return {"Version": "2012-10-17", "Statement": allowed}


def _allow(service: str, verbs: Sequence[str], resources: List[str]) -> Dict[str, Any]:
    actions = [f"{service}:{verb}" for verb in verbs]
    return {"Effect": "Allow", "Action": actions, "Resource": resources}
