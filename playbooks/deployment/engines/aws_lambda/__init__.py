"""``-E lambda``: aws deploys a function of AWS Lambda, which is invoked with alerts, or to which
they come from a queue of SQS or a topic of SNS."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import List, Sequence, Tuple

from playbooks.core.cluster.manifest import Manifest
from playbooks.core.errors import InvalidSetting
from playbooks.deployment.engines import pushed, tool
from playbooks.deployment.engines.aws_lambda import commands, options
from playbooks.deployment.engines.aws_lambda.options import QUEUE, is_queue
from playbooks.deployment.engines.aws_lambda.package import pip, variables, written, zip_file
from playbooks.deployment.engines.engine import Invocation
from playbooks.deployment.engines.pushed import REGION, TOPIC, CloudEngine, json_text
from playbooks.deployment.errors import DeploymentError
from playbooks.deployment.manifests import rights
from playbooks.deployment.request.options import Options
from playbooks.deployment.request.request import Request
from playbooks.deployment.terminal import print_messages, print_step
from playbooks.infrastructure.amazon import settings as eks

AWS = tool.Program("aws", "https://aws.amazon.com/cli")

# Bytes of all variables. Source:
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
LARGEST_ENVIRONMENT = 4096

# Variables that Lambda sets, or by which one changes what its own programs do.
_RESERVED = re.compile(
    r"_.*|AWS_(DEFAULT_)?REGION|AWS_EXECUTION_ENV|AWS_LAMBDA_.*|AWS_ACCESS_KEY(_ID)?"
    r"|AWS_SECRET_ACCESS_KEY|AWS_SESSION_TOKEN|AWS_CONTAINER_.*|LAMBDA_.*|LD_.*|PATH|PYTHON.*"
)
_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]+", re.ASCII)


class Lambda(CloudEngine):
    name = "lambda"
    summary = "AWS Lambda, by aws"
    settings = (pushed.needed_to_act(eks.EKS_CLUSTER), eks.EKS_ENDPOINT, eks.EKS_CA)
    options = options.ALL
    places = (REGION,)

    def seen_by(self, function: str, _namespace: str) -> str:
        return f"aws lambda get-function --function-name {function} --region REGION"

    def problems(self, request: Request, given: Options) -> List[str]:
        found = options.problems(given) + self.misplaced(given) + _wrong(request, given)
        return found + self.not_connected(request, *eks.EKS)

    def show(self, request: Request, invocation: Invocation) -> None:
        given = invocation.options
        tool.print_files({**written(request), "environment.json": _environment(request, given)})
        print(f"{tool.shown(pip('.', 'requirements.txt'))}\n")
        print(
            "# what is there then, but for requirements.txt and environment.json, is function.zip"
        )
        files = ("function.zip", "environment.json")
        _print(
            commands.create(request, given, *files),
            commands.wait("active", request, given),
            commands.keep_events(request, given),
            commands.reserve(request, given),
            *([commands.map_queue(request, given)] if QUEUE.name in given.own else []),
            *commands.subscribe(request, given, commands.arn(request, given)),
        )
        print("# where the function is there already, in place of the first two")
        _print(*commands.update(request, given, *files))
        print(f"# what its role may do\n{json_text(commands.policy(request, given))}")
        if request.playbook.permissions:
            print("# in EKS, which then knows the role as a group")
            _print(commands.create_access_entry(request, given))
        self.print_rights(request, invocation)

    def deploy(self, request: Request, invocation: Invocation) -> int:
        given = invocation.options
        there = AWS.output(commands.find(request.function, given))
        if there:
            kept = json.loads(AWS.output(commands.variables(request.function, given)) or "{}")
            self.confirm(request, given, kept or {})
        with tempfile.TemporaryDirectory() as directory:
            code, environment = Path(directory, "function.zip"), Path(directory, "environment.json")
            code.write_bytes(zip_file(request))
            environment.write_text(_environment(request, given), "utf-8")
            files = (str(code), str(environment))
            first = [commands.create(request, given, *files)]
            for words in commands.update(request, given, *files) if there else first:
                AWS.output(words)
        try:
            self._connect(request, given, new=not there)
        except DeploymentError as error:
            if there:
                again = "the function is changed; deploying again does the rest"
                raise DeploymentError(f"{error}\n{again}") from error
            _remove(request.function, AWS.output(commands.find(request.function, given)), given)
            raise DeploymentError(f"{error}\nnothing was deployed") from error
        print("\n".join(self._hints(request, given)))
        return 0

    def _hints(self, request: Request, given: Options) -> List[str]:
        own, function = given.own, request.function
        found = []
        if request.playbook.permissions:
            entry = " ".join(commands.create_access_entry(request, given))
            found.append(f"who it is:   {entry}")
        if QUEUE.name not in own and TOPIC.name not in own:
            called = "whose policy allows lambda:InvokeFunction on"
            found.append(f"who calls it: {called} {function}")
        return [
            *found,
            f"its log:     aws logs tail /aws/lambda/{function} --region {own[REGION.name]}",
            *self.hints(request, given),
        ]

    def _connect(self, request: Request, given: Options, *, new: bool) -> None:
        """What makes the code a function to which alerts come."""
        if new:
            AWS.output(commands.wait("active", request, given))
        AWS.output(commands.keep_events(request, given))
        try:
            AWS.output(commands.reserve(request, given))
        except DeploymentError as error:
            print_messages("warning", [f"no instances are reserved for it: {error}"])
        print_step("deployed", request.function)
        _map_queue(request, given)
        if TOPIC.name in given.own:
            arn = AWS.output(commands.find(request.function, given))
            for words in commands.subscribe(request, given, arn):
                AWS.output(words, but="ResourceConflictException")
            print_step("subscribed", given.own[TOPIC.name])

    def remove(self, function: str, invocation: Invocation) -> None:
        given = invocation.options
        self.check_removal(given)
        there = AWS.output(commands.find(function, given))
        _remove(function, there, given)
        if not there:
            print(f"no function {function} was in {given.own[REGION.name]}")
        print(f"its log stays: aws logs delete-log-group --log-group-name /aws/lambda/{function}")
        self.print_rights_left(function, invocation)

    def subjects(self, request: Request, given: Options) -> List[Manifest]:
        """The group that the access entry of its role names."""
        return rights.groups(request.function)


ENGINE = Lambda()


def _wrong(request: Request, given: Options) -> List[str]:
    """What is wrong with the settings and variables."""
    found = pushed.problems(request, _RESERVED, "Lambda")
    found += [
        f"{name} cannot be a variable of a function: Lambda does not take the name"
        for name in request.names_given
        if not (_NAME.fullmatch(name) or _RESERVED.fullmatch(name))
    ]
    try:
        eks.check(request.values)
    except InvalidSetting as error:
        found.append(str(error))
    create = """aws secretsmanager create-secret --name NAME --secret-string '{"KEY": "..."}'"""
    found += pushed.not_kept(request, f"Secrets Manager ({create})", "NAME/KEY")
    size = sum(len((name + text).encode()) for name, text in variables(request, given).items())
    if size > LARGEST_ENVIRONMENT:
        most = f"the variables of a function of Lambda at most {LARGEST_ENVIRONMENT}"
        found.append(f"the settings have {size} bytes, and {most}")
    return found


def _environment(request: Request, given: Options) -> str:
    return json_text({"Variables": variables(request, given)})


def _print(*words: Sequence[str]) -> None:
    print("".join(f"{tool.shown(each)}\n" for each in words))


def _map_queue(request: Request, given: Options) -> None:
    """The queue that is asked for, and no other."""
    queue, known = given.own.get(QUEUE.name), ""
    for name, source in _rows(commands.list_mappings(request.function, given)):
        if source == queue:
            known = name
        elif is_queue(source):
            _unmap(name, source, given)
    if queue:
        AWS.output(commands.map_queue(request, given, known))
        print_step("mapped", queue)


def _remove(function: str, there: str, given: Options) -> None:
    """``there``: its ARN, or empty. What brings alerts to it goes first."""
    for name, source in _rows(commands.list_mappings(function, given)):
        _unmap(name, source, given)
    if there:
        _unsubscribe(there, given)
        AWS.output(commands.delete(function, given))
        print_step("removed", function)


def _unmap(name: str, source: str, given: Options) -> None:
    AWS.output(commands.unmap(name, given))
    print_step("removed", f"the mapping of {source}")


def _unsubscribe(function: str, given: Options) -> None:
    """Whatever topics the function has; without it, nothing of them is delivered anyhow."""
    try:
        for name, topic in _rows(commands.list_subscriptions(function, given)):
            AWS.output(commands.unsubscribe(name, given))
            print_step("removed", f"the subscription of {topic}")
    except DeploymentError as error:
        print_messages("warning", [f"its subscriptions of SNS stay: {error}"])


def _rows(words: Sequence[str]) -> List[Tuple[str, str]]:
    """Of two columns that a command prints."""
    found = [line.split("\t") for line in AWS.output(words).splitlines()]
    return [(row[0], row[1]) for row in found if len(row) == 2]
