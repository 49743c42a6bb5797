"""What ``-E lambda`` takes of the command line, and what is wrong with it."""

from __future__ import annotations

import re
from typing import List

from playbooks.deployment.engines.engine import Option
from playbooks.deployment.engines.pushed import REGION, TOPIC
from playbooks.deployment.request.options import Options

_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]+")

# An access entry of EKS has the role as the cluster sees it, which is without a path.
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::(?P<account>[0-9]{12}):role/[\w+=,.@-]+", re.ASCII)
_PLACE = r"arn:(?P<partition>aws[a-z-]*):{}:(?P<region>[a-z0-9-]+):[0-9]{{12}}:[\w-]+(\.fifo)?"
_QUEUE, _TOPIC = (re.compile(_PLACE.format(each), re.ASCII) for each in ("sqs", "sns"))
_ARN = re.compile(r"arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:[0-9]{12}:\S+", re.ASCII)
_VPC = re.compile(r"SubnetIds=[a-z0-9,-]+,SecurityGroupIds=[a-z0-9,-]+")

ROLE = Option(
    "role", ("--role",), "with -E lambda: the execution role of the function, by its ARN", "ARN"
)
QUEUE = Option(
    "queue",
    ("--queue",),
    "with -E lambda: the queue of SQS whose messages are alerts, by its ARN",
    "ARN",
)
ON_FAILURE = Option(
    "on_failure",
    ("--on-failure",),
    "with -E lambda: where an alert from SNS or EventBridge goes that failed every time, by"
    " its ARN: a queue, a topic or a bucket",
    "ARN",
)
VPC = Option(
    "vpc_config",
    ("--vpc-config",),
    "with -E lambda: the network from which it reaches the API server, as aws has it:"
    " SubnetIds=...,SecurityGroupIds=...",
    "CONFIG",
)

ALL = (REGION, ROLE, QUEUE, TOPIC, ON_FAILURE, VPC)

_ARNS = (
    (ROLE, _ROLE, "a role without a path"),
    (ON_FAILURE, _ARN, "a destination"),
    (QUEUE, _QUEUE, "a queue of SQS"),
    (TOPIC, _TOPIC, "a topic of SNS"),
)


def problems(options: Options) -> List[str]:
    own = options.own
    found = [f"{o.flags[0]} is not given" for o in (REGION, ROLE) if o.name not in own]
    region = own.get(REGION.name, "eu-west-1")
    if not _REGION.fullmatch(region):
        found.append(f"--region is {region!r}, expected one such as eu-west-1")
    for option, pattern, what in _ARNS:
        if option.name not in own:
            continue
        given = own[option.name]
        known = pattern.fullmatch(given)
        if not known:
            found.append(f"{option.flags[0]} is {given!r}, expected the ARN of {what}")
        elif REGION.name in own and known.groupdict().get("region", region) != region:
            found.append(f"{option.flags[0]} is {given!r}, expected one in {region}")
    if own.get(TOPIC.name, "").endswith(".fifo"):
        found.append("--trigger-topic: Lambda takes no topic of SNS that keeps the order")
    if VPC.name in own and not _VPC.fullmatch(own[VPC.name]):
        given = own[VPC.name]
        found.append(f"--vpc-config is {given!r}, expected SubnetIds=...,SecurityGroupIds=...")
    return found


def is_queue(arn: str) -> bool:
    return _QUEUE.fullmatch(arn) is not None
