"""A real NATS server of a spec's own, on a free port of the loopback."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import time
from typing import Optional, Sequence, Tuple

from specs.support.conditions import program

NATS_SERVER = program("nats-server")


class NatsServer:
    """Runs while it is entered."""

    def __init__(self) -> None:
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            self.port = listening.getsockname()[1]
        self.url = f"nats://127.0.0.1:{self.port}"
        self._process: Optional[subprocess.Popen[bytes]] = None

    def __enter__(self) -> NatsServer:
        self._process = subprocess.Popen(
            ["nats-server", "-a", "127.0.0.1", "-p", str(self.port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._wait()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(10)

    def publish(self, *messages: Tuple[str, bytes]) -> None:
        """Subjects and bodies, in order."""
        asyncio.run(self._publish(messages))

    async def _publish(self, messages: Sequence[Tuple[str, bytes]]) -> None:
        import nats

        connection = await nats.connect(self.url, connect_timeout=5)
        for subject, body in messages:
            await connection.publish(subject, body)
        await connection.flush()
        await connection.close()

    def _wait(self, seconds: float = 10.0) -> None:
        deadline = time.monotonic() + seconds
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
