"""Alerts of a NATS server, as they are published. Needs nats-py."""

from __future__ import annotations

import asyncio
from typing import Any, Callable, Sequence, Tuple

from playbooks.core.errors import InvalidSetting
from playbooks.core.settings import Settings
from playbooks.engines.local import CannotStart
from playbooks.engines.local.interruption import Interruption
from playbooks.engines.worker.nats import connection as nats_connection

# Seconds to wait for each server at the start.
CONNECT = 5

# Alerts that wait for the one under way, and their bytes: as many as Kubeless' client keeps. Of
# more nats-py keeps some, and says what it drops. Seconds between two looks for room.
MOST_WAITING, MOST_BYTES, PAUSE = 65_536, 64 * 1024 * 1024, 0.05

Deliver = Callable[[bytes, str], Any]


def subscribe(
    settings: Settings,
    topics: Sequence[str],
    deliver: Deliver,
    *,
    note: Callable[[str], None],
    interruption: Interruption,
) -> None:
    """Deliver every message until interrupted; reconnect for ever.

    A message that two topics match comes twice, as with Kubeless, and one that is published while
    the connection is down is lost. ``settings``: NATS_URL and the others of NATS_SETTINGS. Raises
    CannotStart.
    """
    asyncio.run(_Subscriber(settings, note).run(topics, deliver, interruption))


class _Subscriber:
    def __init__(self, settings: Settings, note: Callable[[str], None]) -> None:
        self._settings = settings
        self._shown = nats_connection.shown(settings)
        self._note = note
        self._connected = False
        self._last_error: Any = "no answer"

    async def run(
        self, topics: Sequence[str], deliver: Deliver, interruption: Interruption
    ) -> None:
        loop = asyncio.get_running_loop()
        waiting: asyncio.Queue[Tuple[bytes, str]] = asyncio.Queue(MOST_WAITING)

        held = 0

        async def take(message: Any) -> None:
            nonlocal held
            while held and held + len(message.data) > MOST_BYTES:
                await asyncio.sleep(PAUSE)
            held += len(message.data)
            await waiting.put((message.data, message.subject))

        connection = await self._connect()
        try:
            for topic in topics:
                await connection.subscribe(topic, cb=take)
            await connection.flush()
            self._note(f"listening on {self._shown} for {', '.join(topics)}; Ctrl-C ends it")
            while not interruption.requested:
                body, subject = await waiting.get()
                held -= len(body)
                await loop.run_in_executor(None, deliver, body, subject)
        finally:
            self._connected = False
            await connection.close()
            if not waiting.empty():
                self._note(f"alerts that were waiting, and are lost: {waiting.qsize()}")

    async def _connect(self) -> Any:
        seconds = CONNECT * len(self._settings["NATS_URL"])
        try:
            connection = nats_connection.client(self._settings)
            await asyncio.wait_for(
                connection.connect(
                    name="falco-playbooks",
                    error_cb=self._on_error,
                    disconnected_cb=self._on_disconnect,
                    reconnected_cb=self._on_reconnect,
                    **nats_connection.options(self._settings),
                ),
                seconds,
            )
        except asyncio.TimeoutError:
            raise CannotStart(
                f"the NATS server {self._shown} did not answer in {seconds} s: {self._last_error}"
            ) from None
        except InvalidSetting as error:
            raise CannotStart(str(error)) from None
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
            self._note(f"the connection to {self._shown} is lost, reconnecting")

    async def _on_reconnect(self) -> None:
        self._note(f"connected to {self._shown} again")
