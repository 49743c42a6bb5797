"""A small HTTP/1.1 server in the event loop: h11 parses, asyncio moves the bytes.

Why not a kept server: who reaches the port must not be able to hold connections. Observed for 65 s
on this machine, seconds until the server closes:

====================================== ======= ========= ======= ======= =====
connection                             uvicorn hypercorn granian aiohttp this
====================================== ======= ========= ======= ======= =====
silent, not a byte                     never   5         never   never   5
half a head                            never   5         30      never   5
body announced and never sent          never   10        never   never   10
body of a byte a second                never   never     never   never   10
memory at rest, MB                     28      70        61      38
====================================== ======= ========= ======= ======= =====

Nor can they be told which connection to give up for a new one. Here each source address has its
share, and the oldest connection that is not being answered gives way: of the same source where that
has its share, and else of the one that holds most, so that a sender of few keeps what it has.

None of them has a deadline for a whole request, and the memory of hypercorn is more than that of
the whole worker. The standard library's server takes a thread a connection, and starts its timeout
anew with every byte. h11 has no dependency and does no I/O; httpx and uvicorn parse with it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from typing import Dict, Optional

import h11

from playbooks.engines import log
from playbooks.engines.http.connection import (
    LARGEST_HEAD,
    PATIENCE,
    Bodies,
    Handle,
    HttpConnection,
)

# Connections at the same time, of all and of one source address: more than alerts that are taken in
# at once, so that a burst of a single sender is answered 429 and not cut off.
CONNECTIONS = 512

OF_A_SOURCE = 128


class HttpServer:
    def __init__(self, host: str, port: int, handle: Handle, *, patience: float = PATIENCE) -> None:
        self._host, self._port = host, port
        self._handle = handle
        self._patience = patience
        self._bodies = Bodies()
        self._server: Optional[asyncio.base_events.Server] = None
        # Oldest first.
        self._connections: Dict[HttpConnection, None] = {}
        self._emptied: Optional[asyncio.Event] = None

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
        if self._connections:
            self._emptied = asyncio.Event()
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._emptied.wait(), seconds)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = HttpConnection(reader, writer, self._handle, self._patience, self._bodies)
        if not self._has_room(connection.source):
            writer.transport.abort()
            return
        self._connections[connection] = None
        try:
            await connection.serve()
        except (OSError, asyncio.TimeoutError, h11.ProtocolError):
            pass
        except Exception as error:
            log.error(f"HTTP: {error!r}")
        finally:
            self._connections.pop(connection, None)
            writer.close()
            if self._emptied and not self._connections:
                self._emptied.set()

    def _has_room(self, source: str) -> bool:
        """Where there is none, the oldest connection of a crowd that is not being answered gives
        way."""
        held = Counter(each.source for each in self._connections)
        if held[source] >= OF_A_SOURCE:
            crowd = source
        elif len(self._connections) >= CONNECTIONS:
            crowd = held.most_common(1)[0][0]
        else:
            return True
        crowded = (each for each in self._connections if each.source == crowd)
        oldest = next((each for each in crowded if not each.answering), None)
        if oldest is None:
            return False
        del self._connections[oldest]
        oldest.abort()
        return True
