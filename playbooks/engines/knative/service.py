"""A playbook that answers CloudEvents, as Falcosidekick's
CloudEvents output sends them, by itself or through a broker of Knative.

A broker delivers an event again where the answer to it has a body, although the action was done,
and after 404, 408, 409, 429 and every 5xx. So the answer to an event that was taken has no body,
and what is given up is 422. What became of it stands in two headers, and in the log.

Source: knative/eventing, pkg/kncloudevents/retries.go and pkg/broker/filter/filter_handler.go.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import math
import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Mapping, Optional

from playbooks.core import catalogue
from playbooks.core.alert import SHORT
from playbooks.core.errors import InvalidSetting
from playbooks.core.playbook import Playbook
from playbooks.core.ports import Collaborators
from playbooks.core.settings import read
from playbooks.engines.http.cloud_events import NoCloudEvent, of_request
from playbooks.engines.http.connection import HttpRequest, Response
from playbooks.engines.http.content_encoding import BodyRefused
from playbooks.engines.http.server import HttpServer
from playbooks.engines.knative import CONCURRENCY, PORT, TOKEN, TOKEN_ATTRIBUTE
from playbooks.engines.pushed import PATIENCE, SHORT_PATIENCE, PushedAlerts, http_status
from playbooks.engines.runtime import Intent, Reply

# Seconds for which the answer of a readiness probe holds.
FRESH = 5.0

# Long events that are answered at the same time: read, one may take thirty times what it is long.
LONG = 4

# Seconds after SIGTERM in which what is under way may end.
SHUTDOWN = 25.0


class CloudEventApi:
    """Answers HTTP requests. Raises InvalidSetting, when it is made."""

    def __init__(
        self,
        playbook: Playbook,
        environ: Mapping[str, str] = os.environ,
        collaborators: Optional[Collaborators] = None,
        *,
        patience: float = PATIENCE,
    ) -> None:
        self._token: str = read((TOKEN,), environ)[TOKEN.name].strip()
        self._alerts = PushedAlerts(playbook, environ, collaborators, seconds=patience)
        self._pool = ThreadPoolExecutor(CONCURRENCY, thread_name_prefix="answer")
        self._missing, self._looked = "", 0.0
        self._long = 0

    async def answer(self, request: HttpRequest) -> Response:
        if request.path in ("/healthz", "/readyz"):
            return await self._probe(request)
        if request.method != "POST":
            return Response.error(405, "events are sent by POST", Allow="POST")
        name = request.headers.get("ce-id", "")
        try:
            content = await request.content()
            event = of_request(request.headers, content)
        except (BodyRefused, NoCloudEvent) as error:
            # Where there is no room for it yet, nothing is wrong with it.
            if error.status != 503:
                self._alerts.refuse(str(error), event_id=name)
            # A broker takes 408 for something else than a sender that is too slow.
            return Response.error(503 if error.status == 408 else error.status, str(error))
        if self._token and not self._allowed(event.extensions.get(TOKEN_ATTRIBUTE)):
            return Response.error(
                401, f"the extension attribute {TOKEN_ATTRIBUTE} is missing or wrong"
            )
        long = len(content) > SHORT
        if long and self._long >= LONG:
            said = f"{LONG} long events are being answered"
            return Response.error(429, said, **{"Retry-After": "1"})
        # A broker says that it takes events for an answer, and delivers again.
        brokered = "reply" in request.headers.get("prefer", "").lower()
        handle = partial(
            self._alerts.handle,
            event.data,
            event_id=event.id,
            redelivers=brokered,
            seconds=SHORT_PATIENCE if brokered else math.inf,
        )
        self._long += long
        try:
            return _response(await self._run(handle))
        finally:
            self._long -= long

    async def _probe(self, request: HttpRequest) -> Response:
        if request.method not in ("GET", "HEAD"):
            return Response.error(405, "only GET and HEAD are allowed here", Allow="GET")
        if request.path == "/readyz" and time.monotonic() - self._looked > FRESH:
            self._missing = await self._run(self._alerts.missing)
            self._looked = time.monotonic()
        return Response.of_probe(self._missing if request.path == "/readyz" else None)

    async def _run(self, function: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._pool, function)

    def _allowed(self, given: Any) -> bool:
        text = given if isinstance(given, str) else ""
        return hmac.compare_digest(text.encode("utf-8"), self._token.encode("utf-8"))


def _response(reply: Reply) -> Response:
    status, headers = http_status(reply)
    if reply.intent is Intent.GIVE_UP:
        status = 422
    elif reply.intent is Intent.AGAIN and status != 429:
        status = 503
    outcome = {"Falco-Outcome": str(reply.outcome.status), "Falco-Reason": reply.outcome.reason}
    return Response(status, b"", headers={**headers, **outcome})


async def serve(api: CloudEventApi, host: str, port: int) -> None:
    """Until SIGTERM or SIGINT."""
    server, stopping = HttpServer(host, port, api.answer), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    await server.start()
    await stopping.wait()
    await server.stop(SHUTDOWN)


def main(environ: Mapping[str, str] = os.environ) -> int:
    """The exit code: 2 for a setting that is wrong. ``PLAYBOOK``: which one; ``PORT``: 8080."""
    try:
        port = PORT.check(environ.get("PORT") or str(PORT.default))
        api = CloudEventApi(catalogue.load(environ.get("PLAYBOOK", "")), environ)
    except InvalidSetting as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(api, environ.get("HTTP_HOST", "0.0.0.0"), port))
    return 0
