"""The HTTP API: ``POST /`` takes one alert; ``/healthz``, ``/readyz`` and ``/metrics`` are read.

Probes and metrics have ports of their own besides: other callers reach each.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Callable, Dict, Mapping, Optional, Tuple

from playbooks.core.alert import SHORT, Alert
from playbooks.core.errors import InvalidAlert, InvalidSetting
from playbooks.core.outcome import Outcome, Status
from playbooks.core.tracing.traceparent import TraceParent
from playbooks.engines import log
from playbooks.engines.http import bearer
from playbooks.engines.http.connection import HttpRequest, Response
from playbooks.engines.http.content_encoding import BodyRefused
from playbooks.engines.runtime import Event, Intent, Runtime
from playbooks.engines.worker.nats.durable import DurableIntake
from playbooks.engines.worker.nats.replies import Replies
from playbooks.engines.worker.work.answering import Answering
from playbooks.engines.worker.work.rate import Rate
from playbooks.engines.worker.work.settlement import Settlement

# Alerts that are taken in at the same time, and dry runs a second and at once.
AT_ONCE = 64
DRY_RUNS = (1.0, 5.0)

# Seconds within which an alert that was posted is answered with its outcome.
ANSWER = 5.0

# Seconds for which an alert that cannot be stored is tried again.
PATIENCE = 20.0

# What becomes of an alert: its id, and its outcome where that is known in time.
Taken = Tuple[str, Optional[Outcome]]

EXPLANATION = (
    "a dry run: nothing was changed. A call through the API server's proxy (kubeless function"
    " call) comes without a token, because the API server takes it off. To act, post the alert to"
    " the function's Service with Authorization: Bearer TOKEN (falco-playbook token prints it)"
)


class NotTaken(Exception):
    """An alert that could be neither done nor stored."""


@dataclass(eq=False)
class PostedAlerts:
    """What becomes of them: stored and awaited, or answered right away. ``store`` None: there is no
    JetStream, and nothing is stored. ``dry``: never acts."""

    answering: Answering
    settlement: Settlement
    dry: Runtime
    store: Optional[DurableIntake]
    replies: Replies

    async def take(self, body: bytes, trace: Optional[TraceParent] = None) -> Taken:
        """The id of the stored alert, and its outcome if that is known soon. ``trace``: the one
        that its sender names. Raises NotTaken."""
        if self.store is not None:
            try:
                stream, sequence = await self.store.keep(body, trace)
            except Exception as error:
                log.warn(f"an alert could not be stored and is answered right away: {error!r}")
            else:
                return f"{stream}:{sequence}", await self.replies.of(sequence, ANSWER)
        return "", await self._answer_now(body, trace)

    async def try_out(self, body: bytes) -> Outcome:
        """A dry run. Never acts."""
        outcome = await self.answering.answer_now(body, self.dry)
        details: Dict[str, Any] = {**outcome.details, "dry_run": True, "asked_by": "proxy"}
        self.dry.log(Event(body), replace(outcome, details=details))
        return outcome

    async def _answer_now(self, body: bytes, trace: Optional[TraceParent]) -> Outcome:
        runtime = self.answering.runtime
        outcome = await self.answering.answer_now(body, runtime, PATIENCE, trace)
        await self.settlement.settle_now(body, outcome)
        if Intent.of(outcome) is Intent.AGAIN:
            raise NotTaken(f"the alert could be neither done nor stored: {outcome.message}")
        return outcome


@dataclass(eq=False)
class HttpApi:
    """``token`` None: alerts are not taken. ``ready`` says what is missing, or None.

    200 with the outcome; 202 with an id when it is stored and not done yet; 400, 401, 413, 415,
    429; 503 only when it could be neither done nor stored.
    """

    token: Optional[Callable[[], str]]
    namespace: str
    function: str
    ready: Callable[[], Optional[str]]
    page: Callable[[], bytes]

    def __post_init__(self) -> None:
        self._receiver: Optional[PostedAlerts] = None
        self._taking = 0
        self._dry_runs = Rate(*DRY_RUNS)

    def receive(self, receiver: PostedAlerts) -> None:
        """From now on alerts can be taken. Before, the answer is 503."""
        self._receiver = receiver

    async def probe(self, request: HttpRequest) -> Response:
        """On a port of its own, so that no sender of alerts keeps the kubelet waiting."""
        if request.method not in ("GET", "HEAD") or request.path not in ("/healthz", "/readyz"):
            return Response.error(404, "this port has GET /healthz and GET /readyz only")
        return self._status(request.path)

    async def metrics(self, request: HttpRequest) -> Response:
        """On a port of its own, so that who may read them reaches nothing else."""
        if request.method not in ("GET", "HEAD") or request.path != "/metrics":
            return Response.error(404, "this port has GET /metrics only")
        return self._status(request.path)

    async def answer(self, request: HttpRequest) -> Response:
        if request.path not in ("/healthz", "/readyz", "/metrics"):
            # On any other path, as on Kubeless: its CLI posts to the path of the proxy, twice.
            if self.token is None:
                return Response.error(404, "alerts are not taken by HTTP (HTTP=off)")
            return await self._alert(request)
        if request.method not in ("GET", "HEAD"):
            return Response.error(405, "only GET and HEAD are allowed here", Allow="GET")
        return self._status(request.path)

    def _status(self, path: str) -> Response:
        if path == "/metrics":
            return Response(200, self.page(), "text/plain; version=0.0.4; charset=utf-8")
        # That it answers /healthz at all shows that the event loop runs.
        return Response.of_probe(self.ready() if path == "/readyz" else None)

    async def _alert(self, request: HttpRequest) -> Response:
        if request.method != "POST":
            return Response.error(405, "alerts are sent by POST", Allow="POST")
        allowed = self._allowed(request.headers.get("authorization", ""))
        here = {"namespace": self.namespace, "function": self.function}
        proxied = not allowed and looks_proxied(request.headers, **here)
        if not allowed and not proxied:
            return Response.error(401, bearer.REFUSED, **bearer.CHALLENGE)
        if self._taking >= AT_ONCE or (proxied and not self._dry_runs.take()):
            said = "too many dry runs" if proxied else f"{AT_ONCE} alerts are being taken in"
            return Response.error(429, said, **{"Retry-After": "1"})
        self._taking += 1
        try:
            trace = TraceParent.of_headers(request.headers)
            body = await request.content()
            if proxied and len(body) > SHORT:
                raise BodyRefused(413, f"without a token, an alert has at most {SHORT} bytes")
            return await self._taken_in(body, proxied, trace)
        except BodyRefused as error:
            return Response.error(error.status, str(error))
        finally:
            self._taking -= 1

    async def _taken_in(self, body: bytes, proxied: bool, trace: Optional[TraceParent]) -> Response:
        try:
            Alert.parse(body)
        except InvalidAlert as error:
            return Response.error(400, f"this is no alert: {error}")
        if self._receiver is None:
            return Response.error(503, f"not yet: {self.ready()}", **{"Retry-After": "5"})
        if proxied:
            return Response.of_json(200, _tried_out(await self._receiver.try_out(body)))
        try:
            name, outcome = await self._receiver.take(body, trace)
        except NotTaken as error:
            return Response.error(503, str(error), **{"Retry-After": "5"})
        if outcome is None:
            return Response.of_json(202, {"id": name, "message": "stored, and not done yet"})
        return Response.of_json(200, {"id": name, **outcome.to_dict()})

    def _allowed(self, authorization: str) -> bool:
        assert self.token is not None
        try:
            return bearer.allowed(authorization, self.token())
        except InvalidSetting as error:
            log.error(f"every POST is refused: {error}")
            return False


def _tried_out(outcome: Outcome) -> Dict[str, Any]:
    """What an unauthenticated caller may learn: not which ids a pod has, nor its node."""
    said = outcome.message if outcome.status is Status.WOULD_ACT else ""
    return {
        "dry_run": True,
        "status": outcome.status.value,
        "reason": outcome.reason,
        "target": outcome.target,
        "message": said or "the worker's log says more",
        "explanation": EXPLANATION,
    }


def looks_proxied(headers: Mapping[str, str], *, namespace: str, function: str) -> bool:
    """Whether the headers are those of a call to this function through the proxy."""
    asked = headers.get("x-forwarded-uri", "")
    return any(
        asked.startswith(f"/api/v1/namespaces/{namespace}/{kind}")
        for kind in (f"services/{function}", f"services/http:{function}", f"pods/{function}-")
    )
