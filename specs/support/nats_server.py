"""A real NATS server of a spec's own, on a free port of the loopback."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import tempfile
import time
from typing import Any, Awaitable, Callable, Dict, List, Optional, Sequence, Tuple

from specs.support.conditions import program
from specs.support.real_cluster import node_address

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


class JetStreamServer:
    """One that keeps messages, on an address of the node that pods reach, while it is entered."""

    def __enter__(self) -> JetStreamServer:
        self._directory = tempfile.TemporaryDirectory()
        address = node_address()
        with socket.socket() as listening:
            listening.bind((address, 0))
            self.port = listening.getsockname()[1]
        self.url = f"nats://{address}:{self.port}"
        words = ["-js", "-sd", self._directory.name, "-a", address, "-p", str(self.port)]
        self._process = subprocess.Popen(
            ["nats-server", *words, *self.options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        return self

    def __init__(self, *options: str) -> None:
        """``options``: of the program, such as ``--user``."""
        self.options = options

    def _credentials(self) -> Dict[str, str]:
        names = {"--user": "user", "--pass": "password"}
        pairs = zip(self.options, self.options[1:])
        return {names[option]: value for option, value in pairs if option in names}

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)
        self._directory.cleanup()

    def publish(self, subject: str, document: Any) -> None:
        async def publish(client: Any) -> None:
            await client.publish(subject, json.dumps(document).encode())
            await client.flush()

        self._with_client(publish)

    def consumers(self, stream: str) -> List[str]:
        """The names of its consumers."""

        async def listed(client: Any) -> List[str]:
            return [each.name for each in await client.jetstream().consumers_info(stream)]

        found: List[str] = self._with_client(listed)
        return found

    def _with_client(self, use: Callable[[Any], Awaitable[Any]]) -> Any:
        async def connected() -> Any:
            import nats

            client = await nats.connect(self.url, connect_timeout=5, **self._credentials())
            try:
                return await use(client)
            finally:
                await client.close()

        return asyncio.run(connected())
