"""The zip file of a function of AWS Lambda, unpacked and run as Lambda runs it: by its own runtime
(awslambdaric), which takes invocations from the runtime API. That stands on the loopback here.

Source: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html.
"""

from __future__ import annotations

import json
import queue
import sys
import time
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import count
from typing import Any, Dict, List, Mapping, Optional, Tuple

from playbooks.deployment.engines.aws_lambda.package import own_files, variables
from playbooks.deployment.request.options import Options
from playbooks.deployment.request.request import Request
from playbooks.engines.pushed import TIMEOUT
from specs.support.conditions import Condition
from specs.support.engines.process import FunctionProcess, asked_for
from specs.support.loopback.aws_cloud import KEYS, REGION, ROLE
from specs.support.loopback.server import Answer, Asked, LoopbackServer

AWSLAMBDARIC = Condition(find_spec("awslambdaric") is not None, "awslambdaric is not installed")

CLUSTER = ("-e", "EKS_CLUSTER=prod")

_API = "/2018-06-01/runtime"
_JSON = {"Content-Type": "application/json"}


def asked(*words: str) -> Tuple[Request, Options]:
    return asked_for("lambda", "--region", REGION, "--role", ROLE, *words)


@dataclass(frozen=True)
class Invoked:
    """``error``: whether it raised. ``text``: what the runtime says, as it is."""

    error: bool
    text: str

    @property
    def document(self) -> Any:
        return json.loads(self.text)


class LambdaFunction(FunctionProcess):
    """``words``: of deploy_playbook. Its variables are those that would be deployed, and
    ``environ``, what Lambda gives to it."""

    command = (sys.executable, "-m", "awslambdaric", "main.handler")

    def __init__(self, *words: str, environ: Mapping[str, str]) -> None:
        super().__init__()
        request, options = asked(*words)
        self.write(own_files(request))
        self._api = _RuntimeApi()
        self.environ = {
            # No aws of this machine, and nothing of its user.
            "PATH": "",
            "HOME": str(self.root),
            "AWS_EC2_METADATA_DISABLED": "true",
            "PYTHONDONTWRITEBYTECODE": "1",
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.12",
            "AWS_LAMBDA_RUNTIME_API": self._api.address,
            "AWS_LAMBDA_FUNCTION_NAME": request.function,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            "LAMBDA_TASK_ROOT": str(self.root),
            **variables(request, options),
            **environ,
        }

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self._api.stop()

    def answers(self) -> bool:
        """It asks for events, and those of before wait for it."""
        return True

    def invoke(self, event: Any, *, left: float = TIMEOUT) -> Invoked:
        """``event``: bytes are sent as they are. ``left``: seconds that it is told it has."""
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        found = self._api.invoke(body, left)
        if found is None:
            raise AssertionError(f"it does not answer:\n{self.log}")
        return found

    def refusal(self, seconds: float = 30.0) -> str:
        """What it says instead of taking an event."""
        self.process.wait(seconds)
        return str(self._api.refused)


class LambdaApi:
    """What stands for Lambda before a function that runs here: it is invoked over HTTP.

    ``failures``: how many invocations Lambda itself answers with 500 first. ``left``: as the
    function has it. ``settings``: of Falcosidekick's Lambda output. ``paths``, ``uuids``: of what
    was asked, and of the alerts in it.
    """

    def __init__(
        self, function: LambdaFunction, *, failures: int = 0, left: float = TIMEOUT
    ) -> None:
        self._function, self._failures, self._left = function, failures, left
        self._server = LoopbackServer(answer=self._answer)
        self.settings = {
            "AWS_LAMBDA_FUNCTIONNAME": "falco-delete",
            "AWS_CHECKIDENTITY": "false",
            "AWS_ENDPOINT_URL_LAMBDA": self._server.url,
            "AWS_REGION": REGION,
            **KEYS,
        }

    def stop(self) -> None:
        self._server.stop()

    @property
    def paths(self) -> List[str]:
        return [asked.path for asked in self._server.asked]

    @property
    def uuids(self) -> List[str]:
        return [asked.body["uuid"] for asked in self._server.asked]

    def _answer(self, asked: Asked) -> Answer:
        if self._failures:
            self._failures -= 1
            return Answer(500, {"Message": "ServiceException"})
        found = self._function.invoke(asked.body, left=self._left)
        headers = {"X-Amz-Function-Error": "Unhandled"} if found.error else {}
        return Answer(200, found.text.encode(), headers)


class _RuntimeApi:
    def __init__(self) -> None:
        self.refused = ""
        self._events: queue.Queue[Tuple[str, bytes, float]] = queue.Queue()
        self._answers: Dict[str, queue.Queue[Invoked]] = {}
        self._names = count(1)
        self._server = LoopbackServer(answer=self._answer)
        self.address = f"127.0.0.1:{self._server.port}"

    def stop(self) -> None:
        self._server.stop()

    def invoke(self, body: bytes, left: float) -> Optional[Invoked]:
        name = f"request-{next(self._names)}"
        self._answers[name] = queue.Queue()
        self._events.put((name, body, left))
        try:
            return self._answers[name].get(timeout=TIMEOUT)
        except queue.Empty:
            return None

    def _answer(self, asked: Asked) -> Answer:
        return self._next() if asked.method == "GET" else self._taken(asked)

    def _next(self) -> Answer:
        name, body, left = self._events.get()
        headers = {
            "Lambda-Runtime-Aws-Request-Id": name,
            "Lambda-Runtime-Deadline-Ms": str(int((time.time() + left) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-west-1:1:function:f",
            "Lambda-Runtime-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700",
        }
        return Answer(200, body, {**headers, **_JSON})

    def _taken(self, asked: Asked) -> Answer:
        if asked.path == f"{_API}/init/error":
            self.refused = asked.content.decode()
        else:
            name, kind = asked.path.split("/")[-2:]
            self._answers[name].put(Invoked(kind == "error", asked.content.decode()))
        return Answer(202, {}, _JSON)
