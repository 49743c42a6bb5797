"""Every engine, called in its own wire form, in this process: one row of ``ENGINES`` an engine.

Another engine is one more subclass of Caller: it makes its engine with the playbook and the
settings that it is given, sends it the bytes of an alert as that engine's own caller would, and
tells what came back. What the engine logged is read from its standard error.
"""

from __future__ import annotations

import asyncio
import base64
import http.client
import io
import json
import os
import threading
from abc import ABC, abstractmethod
from contextlib import redirect_stderr, suppress
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any, Dict, Mapping, Optional, Tuple, Type
from unittest.mock import patch
from urllib.parse import urlsplit

from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from playbooks.core.errors import InvalidAlert
from playbooks.core.outcome import Outcome
from playbooks.core.playbook import Playbook
from playbooks.engines import aws_lambda, gcf, kubeless, openfaas
from playbooks.engines.http.connection import Handle
from playbooks.engines.http.server import HttpServer
from playbooks.engines.knative.service import CloudEventApi
from playbooks.engines.local.calls import Calls, Dispatch
from playbooks.engines.local.http import Endpoint
from playbooks.engines.local.interruption import Interruption
from playbooks.engines.local.report import Report
from playbooks.engines.runtime import Event, Intent, Runtime
from playbooks.engines.worker.http_api import HttpApi, NotTaken, Taken
from specs.engines import kubeless_process

# The keys of a line in the log that are not the outcome's.
_ABOUT = ("time", "playbook", "event_id", "alert", "claimed")


@dataclass(frozen=True)
class Answer:
    """``wire``: how the engine replied, in its own words. ``outcome``: as a dict, from its log or
    from the reply; None where it did not get so far."""

    wire: Any
    outcome: Optional[Dict[str, Any]]


class Caller(ABC):
    """An engine with one playbook.

    ``NAME``: that of the engine, as -E takes it, and the way in which the alert comes.
    ``WIRE``: its reply by intent. ``INVALID``: that to what is no alert, where it is another than
    to what would fail again. ``TOO_LARGE``: that to more than 1 MiB, None where it has no limit of
    its own.
    """

    NAME: str
    WIRE: Mapping[Intent, Any]
    INVALID: Any = None
    TOO_LARGE: Any = None

    @abstractmethod
    def __init__(self, playbook: Playbook, environ: Mapping[str, str]) -> None: ...

    @abstractmethod
    def deliver(self, body: bytes) -> Tuple[Any, Optional[Dict[str, Any]]]:
        """The reply, and the outcome where only the reply has it."""

    def call(self, body: bytes) -> Answer:
        log = io.StringIO()
        with redirect_stderr(log):
            wire, outcome = self.deliver(body)
        return Answer(wire, _logged(log.getvalue()) or outcome)

    def close(self) -> None:
        """What runs on, ends."""


def _logged(log: str) -> Optional[Dict[str, Any]]:
    for line in reversed(log.splitlines()):
        with suppress(ValueError):
            document = json.loads(line)
            if "status" in document and "reason" in document:
                return {key: value for key, value in document.items() if key not in _ABOUT}
    return None


def posted(url: str, body: bytes, **headers: str) -> Tuple[int, bytes]:
    """Status and body of the answer to a POST."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    try:
        connection.connect()
        # A server that takes no more of a body answers before it has all of it.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.request("POST", parts.path or "/", body, named)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


class Kubeless(Caller):
    """By its NATS trigger and its runtime, which knows no intent: what failed is raised."""

    NAME = "kubeless"
    WIRE = {
        Intent.DONE: "returned",
        Intent.SKIPPED: "returned",
        Intent.GIVE_UP: "raised",
        Intent.AGAIN: "raised",
    }

    def __init__(self, playbook: Playbook, environ: Mapping[str, str]) -> None:
        self._handler, self._environ = kubeless.handler(playbook), environ

    def deliver(self, body: bytes) -> Tuple[Any, Optional[Dict[str, Any]]]:
        with patch.dict(os.environ, self._environ):
            try:
                return "returned", self._handler(kubeless_process.event(body), {"timeout": 0.001})
            except Exception:
                return "raised", None


class WorkerHttp(Caller):
    """``POST /`` of a worker without JetStream, with its token."""

    NAME = "kubernetes, HTTP"
    # What it has stored is its own to give up: the sender is told the outcome.
    WIRE = {Intent.DONE: 200, Intent.SKIPPED: 200, Intent.GIVE_UP: 200, Intent.AGAIN: 503}
    INVALID, TOO_LARGE = 400, 413

    def __init__(self, playbook: Playbook, environ: Mapping[str, str]) -> None:
        self._runtime = Runtime(playbook.name, playbook.responder(environ))
        self._api = HttpApi(
            token=lambda: "a-token",
            namespace="specs",
            function="falco-delete",
            ready=lambda: None,
            page=lambda: b"",
        )
        self._api.receive(self)

    async def take(self, body: bytes, trace: Any = None) -> Taken:
        answer = partial(self._runtime.answer, body)
        outcome = await asyncio.get_running_loop().run_in_executor(None, answer)
        self._runtime.log(Event(body), outcome)
        if Intent.of(outcome) is Intent.AGAIN:
            raise NotTaken(outcome.message)
        return "", outcome

    async def try_out(self, body: bytes) -> Outcome:
        raise AssertionError("it has the token")

    def deliver(self, body: bytes) -> Tuple[Any, Optional[Dict[str, Any]]]:
        status, said = served(self._api.answer, body, Authorization="Bearer a-token")
        error = json.loads(said).get("error", "")
        none, found, why = error.partition("this is no alert: ")
        if not found or none:
            return status, None
        outcome = Outcome.failed(InvalidAlert(why)).to_dict()
        return status, {**outcome, "why": [why]}


class Local(Caller):
    """``POST /`` of ``-E local --http``, which fails as Kubeless does."""

    NAME = "local, HTTP"
    WIRE = {Intent.DONE: 200, Intent.SKIPPED: 200, Intent.GIVE_UP: 500, Intent.AGAIN: 500}
    INVALID, TOO_LARGE = 400, 413

    def __init__(self, playbook: Playbook, environ: Mapping[str, str]) -> None:
        calls = Calls(Runtime(playbook.name, playbook.responder(environ)), timeout=0.5)
        self._interruption = Interruption(give_up=calls.give_up)
        report = Report(io.StringIO(), 120)
        dispatch = Dispatch(calls, ["falco.>"], report, self._interruption, lambda _: None)
        self._endpoint = Endpoint(0, dispatch.publish, interruption=self._interruption)
        self._thread = threading.Thread(target=self._endpoint.serve)
        self._thread.start()

    def deliver(self, body: bytes) -> Tuple[Any, Optional[Dict[str, Any]]]:
        return posted(self._endpoint.url, body)[0], None

    def close(self) -> None:
        self._interruption.requested = True
        with suppress(OSError):
            # So that it notices at once.
            posted(f"{self._endpoint.url}none", b"")
        self._thread.join(10)


def flask_request(body: bytes, **headers: str) -> Any:
    """As functions-framework gives one to a function."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(EnvironBuilder(method="POST", data=body, headers=named).get_environ())


class GcfAlert(Caller):
    """A Cloud Function to which Falcosidekick's Cloud Run output posts."""

    NAME = "gcf, HTTP"
    WIRE = {Intent.DONE: 200, Intent.SKIPPED: 200, Intent.GIVE_UP: 400, Intent.AGAIN: 500}
    TOO_LARGE = 413

    def __init__(self, playbook: Playbook, environ: Mapping[str, str]) -> None:
        self._function = gcf.alert(playbook, environ, patience=0.0)

    def deliver(self, body: bytes) -> Tuple[Any, Optional[Dict[str, Any]]]:
        kind = "application/json; charset=utf-8"
        text, status, _ = self._function(flask_request(body, Content_Type=kind))
        return status, json.loads(text)


class GcfEvent(Caller):
    """A Cloud Function for messages of Pub/Sub, which come again after any other status."""

    NAME = "gcf, Pub/Sub"
    WIRE = {Intent.DONE: 200, Intent.SKIPPED: 200, Intent.GIVE_UP: 200, Intent.AGAIN: 500}
    TOO_LARGE = 200

    def __init__(self, playbook: Playbook, environ: Mapping[str, str]) -> None:
        self._function = gcf.event(playbook, environ, patience=0.0)

    def deliver(self, body: bytes) -> Tuple[Any, Optional[Dict[str, Any]]]:
        message = {"data": base64.b64encode(body).decode(), "messageId": "1"}
        envelope = {"message": message, "subscription": "projects/p/subscriptions/s"}
        request = flask_request(
            json.dumps(envelope).encode(),
            Content_Type="application/json",
            Ce_Specversion="1.0",
            Ce_Id="1",
            Ce_Source="//pubsub.googleapis.com/projects/p/topics/falco",
            Ce_Type="google.cloud.pubsub.topic.v1.messagePublished",
        )
        text, status, _ = self._function(request)
        return status, json.loads(text)


#: The headers of a CloudEvent of Falcosidekick's, in binary mode.
EVENT = {
    "Content_Type": "application/json",
    "Ce_Specversion": "1.0",
    "Ce_Id": "1",
    "Ce_Type": "falco.rule.output.v1",
    "Ce_Source": "https://falco.org",
}


class Knative(Caller):
    """A CloudEvent in binary mode, as Falcosidekick sends one and a broker passes it on."""

    NAME = "knative"
    WIRE = {Intent.DONE: 200, Intent.SKIPPED: 200, Intent.GIVE_UP: 422, Intent.AGAIN: 503}
    TOO_LARGE = 413

    def __init__(self, playbook: Playbook, environ: Mapping[str, str]) -> None:
        self._api = CloudEventApi(playbook, environ, patience=0.0)

    def deliver(self, body: bytes) -> Tuple[Any, Optional[Dict[str, Any]]]:
        status, said = served(self._api.answer, body, **EVENT, Prefer="reply")
        if status != self.TOO_LARGE and said:
            raise AssertionError("a broker delivers again what is answered with a body")
        return status, None


class LambdaInvoked(Caller):
    """A function of AWS Lambda that Falcosidekick invokes: what arrives is what the JSON is."""

    NAME = "lambda, invoked"
    WIRE = {
        Intent.DONE: "returned",
        Intent.SKIPPED: "returned",
        Intent.GIVE_UP: "returned",
        Intent.AGAIN: "raised",
    }

    def __init__(self, playbook: Playbook, environ: Mapping[str, str]) -> None:
        self._handler = aws_lambda.handler(playbook, environ, patience=0.0)

    def event(self, text: str) -> Any:
        try:
            return json.loads(text, strict=False)
        except ValueError:
            # Lambda takes nothing but JSON: this is text in it.
            return text

    def deliver(self, body: bytes) -> Tuple[Any, Optional[Dict[str, Any]]]:
        event = self.event(body.decode("utf-8", "replace"))
        try:
            returned = self._handler(event, None)
        except aws_lambda.AlertToTryAgain:
            return "raised", None
        json.dumps(returned, allow_nan=False)
        return "returned", returned


class LambdaSns(LambdaInvoked):
    """The same, for messages of SNS."""

    NAME = "lambda, SNS"

    def event(self, text: str) -> Any:
        message = {"Type": "Notification", "MessageId": "m-1", "Message": text}
        return {"Records": [{"EventSource": "aws:sns", "EventVersion": "1.0", "Sns": message}]}


class LambdaSqs(LambdaInvoked):
    """The same, for batches of SQS, of which those that failed come again."""

    NAME = "lambda, SQS"
    WIRE = {
        Intent.DONE: [],
        Intent.SKIPPED: [],
        Intent.GIVE_UP: [],
        Intent.AGAIN: [{"itemIdentifier": "m-1"}],
    }

    def event(self, text: str) -> Any:
        return {"Records": [{"eventSource": "aws:sqs", "messageId": "m-1", "body": text}]}

    def deliver(self, body: bytes) -> Tuple[Any, Optional[Dict[str, Any]]]:
        returned = super().deliver(body)[1]
        return (returned or {})["batchItemFailures"], None


class OpenFaas(Caller):
    """A function of OpenFaaS, to which its gateway posts."""

    NAME = "openfaas"
    WIRE = {Intent.DONE: 200, Intent.SKIPPED: 200, Intent.GIVE_UP: 400, Intent.AGAIN: 500}
    TOO_LARGE = 413

    def __init__(self, playbook: Playbook, environ: Mapping[str, str]) -> None:
        self._handle = openfaas.handler(playbook, environ, patience=0.0)

    def deliver(self, body: bytes) -> Tuple[Any, Optional[Dict[str, Any]]]:
        answer = self._handle(openfaas_event(body), OPENFAAS_CONTEXT)
        return answer["statusCode"], json.loads(answer["body"])


#: The template's Context.
OPENFAAS_CONTEXT = SimpleNamespace(hostname="falco-delete-1")


def openfaas_event(body: bytes, method: str = "POST", **headers: str) -> Any:
    """The template's Event of a request, as Falcosidekick's OpenFaaS output makes it."""
    kind = "application/json; charset=utf-8"
    request = flask_request(body, **{"Content_Type": kind, **headers})
    return SimpleNamespace(
        body=request.get_data(),
        headers=request.headers,
        method=method,
        query=request.args,
        path=request.path,
    )


def served(answer: Handle, body: bytes, **headers: str) -> Tuple[int, bytes]:
    """The answer to a POST to a server of its own."""

    async def asked() -> Tuple[int, bytes]:
        server = HttpServer("127.0.0.1", 0, answer)
        await server.start()
        try:
            ask = partial(posted, f"http://127.0.0.1:{server.port}/", body, **headers)
            return await asyncio.get_running_loop().run_in_executor(None, ask)
        finally:
            await server.stop(1)

    return asyncio.run(asked())


#: All engines. A row more, and the shared inputs are put to that engine, too.
ENGINES: Tuple[Type[Caller], ...] = (
    *(Kubeless, WorkerHttp, Local, GcfAlert, GcfEvent, Knative),
    *(LambdaInvoked, LambdaSns, LambdaSqs, OpenFaas),
)
