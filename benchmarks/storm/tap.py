"""A proxy in front of the API server that notes when it is asked something. TLS goes through it
unread: what counts is the first byte after an alert. It is the same way for everybody."""

from __future__ import annotations

import bisect
import contextlib
import socket
import threading
import time
from typing import List, Optional, Tuple


class Tap:
    """``host``: the address to listen on."""

    def __init__(self, target: Tuple[str, int], host: str = "127.0.0.1") -> None:
        self._target = target
        self._asked: List[float] = []
        self._listening = socket.create_server((host, 0), backlog=64)
        self.address = (host, int(self._listening.getsockname()[1]))
        threading.Thread(target=self._accept, daemon=True).start()

    def asked_after(self, moment: float) -> Optional[float]:
        """When the first byte for the API server came after ``moment``."""
        asked = list(self._asked)
        place = bisect.bisect_right(asked, moment)
        return asked[place] if place < len(asked) else None

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                far = socket.create_connection(self._target)
                for end in (near, far):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._start(near, far, True)
                self._start(far, near, False)

    def _start(self, source: socket.socket, sink: socket.socket, noted: bool) -> None:
        threading.Thread(target=self._copy, args=(source, sink, noted), daemon=True).start()

    def _copy(self, source: socket.socket, sink: socket.socket, noted: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if noted:
                    self._asked.append(time.monotonic())
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
