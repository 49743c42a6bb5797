"""A small HTTP/1.1 server in the event loop: h11 parses, asyncio moves the bytes.

Why not the others: the standard library's server takes a thread a connection, its timeout starts
anew with every byte, and its documentation advises against it; aiohttp and uvicorn bring far more
than one route needs. h11 has no dependency, does no I/O, and is what httpx and uvicorn parse with.
"""

from __future__ import annotations

import asyncio
from typing import Optional, Set

import h11

from playbooks.engines.worker import log
from playbooks.engines.worker.http_connection import (
    LARGEST_HEAD,
    PATIENCE,
    Connection,
    Handle,
)

# Connections at the same time; those beyond are closed at once.
CONNECTIONS = 512


class Server:
    def __init__(self, host: str, port: int, handle: Handle, *, patience: float = PATIENCE) -> None:
        self._host, self._port = host, port
        self._handle = handle
        self._patience = patience
        self._server: Optional[asyncio.base_events.Server] = None
        self._connections: Set[Connection] = set()

    @property
    def port(self) -> int:
        return int(self._server.sockets[0].getsockname()[1]) if self._server else 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(
            self._serve, self._host, self._port, limit=LARGEST_HEAD, backlog=256
        )

    async def stop(self, seconds: float) -> None:
        """Take no more connections, and let requests under way be answered."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.last()
        deadline = asyncio.get_running_loop().time() + seconds
        while self._connections and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.02)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(reader, writer, self._handle, self._patience)
        if len(self._connections) >= CONNECTIONS:
            writer.close()
            return
        self._connections.add(connection)
        try:
            await connection.serve()
        except (OSError, asyncio.TimeoutError, h11.ProtocolError):
            pass
        except Exception as error:
            log.complain(f"HTTP: {error!r}")
        finally:
            self._connections.discard(connection)
            writer.close()
