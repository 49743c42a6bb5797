"""What the execution role of a function needs on AWS, and no more."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

from playbooks.deployment.engines.aws_lambda.options import ON_FAILURE, QUEUE, ROLE, VPC
from playbooks.deployment.engines.cloud import REGION
from playbooks.deployment.request.options import Options
from playbooks.deployment.request.request import Request
from playbooks.infrastructure.amazon.settings import EKS_CLUSTER, EKS_ENDPOINT


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
