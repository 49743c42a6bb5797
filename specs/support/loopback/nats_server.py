"""A real NATS server of a spec's own."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Dict, List, Optional

import nats

from specs.engines.worker.rig import an_alert
from specs.support.conditions import program
from specs.support.processes import eventually, free_port

NATS_SERVER = program("nats-server")


class Nats:
    """A server with file storage, which can be killed and started again on the same port. Runs from
    ``start`` to ``remove``, or while it is entered.

    ``address``: that it listens on. ``user``: one of the ``config``, as ``name:password``, who
    stands in ``url`` and not in ``server``.
    """

    def __init__(
        self,
        *,
        jetstream: bool = True,
        config: str = "",
        user: str = "",
        port: int = 0,
        address: str = "127.0.0.1",
        program: str = "nats-server",
    ) -> None:
        self.program = program
        self.address = address
        self.port = port or free_port(address)
        self.directory = tempfile.mkdtemp(prefix="worker-nats-")
        self.server = f"nats://{address}:{self.port}"
        self.url = f"nats://{user + '@' if user else ''}{address}:{self.port}"
        self.jetstream = jetstream
        self.config = config
        self.process: Optional[subprocess.Popen[bytes]] = None

    def start(self) -> Nats:
        words = [self.program, "-a", self.address, "-p", str(self.port)]
        if self.jetstream:
            words += ["-js", "-sd", self.directory]
        if self.config:
            path = Path(self.directory) / "nats.conf"
            path.write_text(self.config)
            words += ["-c", str(path)]
        log = (Path(self.directory) / "log").open("ab")
        self.process = subprocess.Popen(words, stdout=log, stderr=log)

        def there() -> bool:
            try:
                socket.create_connection((self.address, self.port), timeout=1).close()
            except OSError:
                return False
            return True

        eventually(there, 10)
        return self

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(10)
            self.process = None

    def remove(self) -> None:
        self.stop(signal.SIGKILL)
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Nats:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.remove()

    def run(self, use: Any, **options: Any) -> Any:
        """Await ``use(connection)`` on a connection of its own."""

        async def go() -> Any:
            connection = await nats.connect(
                self.url, connect_timeout=5, allow_reconnect=False, **options
            )
            try:
                return await use(connection)
            finally:
                await connection.flush()
                await connection.close()

        return asyncio.run(go())

    def publish(self, *messages: Any, **options: Any) -> None:
        """Subjects and bodies, bytes or documents, as plain publishers do."""

        async def use(connection: Any) -> None:
            for subject, body in messages:
                sent = body if isinstance(body, bytes) else json.dumps(body).encode()
                await connection.publish(subject, sent)

        self.run(use, **options)

    def alert(self, name: str, rule: str = "ok", subject: str = "falco.error.x") -> None:
        self.publish((subject, an_alert(name, rule)))

    def call(self, what: str, body: Any = None) -> Dict[str, Any]:
        """Ask JetStream's API."""

        async def use(connection: Any) -> Any:
            asked = json.dumps(body or {}).encode()
            answer = await connection.request(f"$JS.API.{what}", asked, timeout=5)
            return json.loads(answer.data)

        return dict(self.run(use))

    def stream(self, name: str, *subjects: str, **config: Any) -> Dict[str, Any]:
        wanted = {"name": name, "subjects": list(subjects), "storage": "file", **config}
        return self.call(f"STREAM.CREATE.{name}", {"retention": "limits", **wanted})

    def messages(self, stream: str) -> List[Dict[str, Any]]:
        """Everything in a stream: subject, headers, body."""

        async def use(connection: Any) -> List[Dict[str, Any]]:
            jetstream = connection.jetstream()
            try:
                state = (await jetstream.stream_info(stream)).state
            except nats.js.errors.NotFoundError:
                return []
            found = []
            if not state.messages:
                return found
            for sequence in range(state.first_seq, state.last_seq + 1):
                message = await jetstream.get_msg(stream, sequence)
                headers = dict(message.headers or {})
                found.append({"subject": message.subject, "headers": headers, "body": message.data})
            return found

        return list(self.run(use))

    def consumers(self, stream: str = "FALCO") -> List[Dict[str, Any]]:
        return list(self.call(f"CONSUMER.LIST.{stream}").get("consumers") or [])

    def settled(self, stream: str = "FALCO") -> bool:
        """Whether the stream has consumers, and none of them owes anything any more."""
        found = self.consumers(stream)
        return bool(found) and not any(c["num_pending"] or c["num_ack_pending"] for c in found)
