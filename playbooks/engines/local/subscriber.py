"""Alerts from a NATS server: one subscription a topic."""

from __future__ import annotations

import asyncio
from typing import Any, Callable, Sequence, Tuple

from playbooks.engines import nats_urls
from playbooks.engines.local.failure import CannotStart
from playbooks.engines.local.interruption import Interruption

# Seconds to wait for each server at the start, and between two tries to reconnect later.
CONNECT = 5
RECONNECT = 2

# Alerts that wait for the one under way, as many as Kubeless' client keeps.
MOST_WAITING = 65_536

Deliver = Callable[[bytes, str], Any]


def subscribe(
    url: str,
    topics: Sequence[str],
    deliver: Deliver,
    *,
    note: Callable[[str], None],
    interruption: Interruption,
) -> None:
    """Deliver every message until interrupted; reconnect for ever.

    A message that two topics match comes twice, as with Kubeless, and one that is published while
    the connection is down is lost. ``url``: servers by commas, credentials and all; they are never
    shown. Raises CannotStart.
    """
    try:
        import nats  # noqa: F401
    except ImportError as error:
        raise CannotStart("NATS_URL needs nats-py: pip install nats-py") from error
    asyncio.run(_Subscriber(url, note).run(topics, deliver, interruption))


def _servers(url: str) -> Tuple[nats_urls.Server, ...]:
    """Without a scheme it is nats://."""
    parts = [part.strip() for part in url.split(",")]
    try:
        return nats_urls.servers(
            ",".join(part if "://" in part or not part else f"nats://{part}" for part in parts)
        )
    except ValueError as error:
        raise CannotStart(f"NATS_URL is (not shown), expected {error}") from None


class _Subscriber:
    def __init__(self, url: str, note: Callable[[str], None]) -> None:
        self._servers = _servers(url)
        self._shown = ", ".join(map(str, self._servers))
        self._note = note
        self._connected = False
        self._last_error: Any = "no answer"

    async def run(
        self, topics: Sequence[str], deliver: Deliver, interruption: Interruption
    ) -> None:
        loop = asyncio.get_running_loop()
        waiting: asyncio.Queue[Tuple[bytes, str]] = asyncio.Queue(MOST_WAITING)

        async def take(message: Any) -> None:
            await waiting.put((message.data, message.subject))

        connection = await self._connect()
        try:
            for topic in topics:
                await connection.subscribe(topic, cb=take)
            await connection.flush()
            self._note(f"listening on {self._shown} for {', '.join(topics)}; Ctrl-C ends it")
            while not interruption.requested:
                body, subject = await waiting.get()
                await loop.run_in_executor(None, deliver, body, subject)
        finally:
            self._connected = False
            await connection.close()
            if not waiting.empty():
                self._note(f"alerts that were waiting, and are lost: {waiting.qsize()}")

    async def _connect(self) -> Any:
        from playbooks.engines.worker.nats.connection import CarefulClient

        connection = CarefulClient(self._servers)
        seconds = CONNECT * len(self._servers)
        try:
            await asyncio.wait_for(
                connection.connect(
                    [server.url for server in self._servers],
                    name="falco-playbooks",
                    connect_timeout=CONNECT,
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=RECONNECT,
                    error_cb=self._on_error,
                    disconnected_cb=self._on_disconnect,
                    reconnected_cb=self._on_reconnect,
                ),
                seconds,
            )
        except asyncio.TimeoutError:
            raise CannotStart(
                f"the NATS server {self._shown} did not answer in {seconds} s: {self._last_error}"
            ) from None
        except Exception as error:
            said = f"NATS_URL ({self._shown}) cannot be used: {type(error).__name__}"
            raise CannotStart(said) from None
        self._connected = True
        return connection

    async def _on_error(self, error: Exception) -> None:
        self._last_error = error or type(error).__name__
        if self._connected:
            self._note(f"NATS: {error or type(error).__name__}")

    async def _on_disconnect(self) -> None:
        if self._connected:
            self._note(f"the connection to {self._shown} is lost, trying again for ever")

    async def _on_reconnect(self) -> None:
        self._note(f"connected to {self._shown} again")
