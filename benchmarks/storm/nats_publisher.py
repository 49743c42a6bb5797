"""Publishes as Falcosidekick does, without JetStream, and at once: nothing waits for a loop."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Sequence


class Publisher:
    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.settimeout(None)
        self._socket.sendall(b'CONNECT {"verbose":false}\r\n')
        threading.Thread(target=self._live, daemon=True).start()

    def publish(self, subject: str, bodies: Sequence[bytes]) -> None:
        """All in one write."""
        frames = [f"PUB {subject} {len(b)}\r\n".encode() + b + b"\r\n" for b in bodies]
        self._socket.sendall(b"".join(frames))

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _live(self) -> None:
        with contextlib.suppress(OSError):
            while said := self._socket.recv(65536):
                if b"PING" in said:
                    self._socket.sendall(b"PONG\r\n")
