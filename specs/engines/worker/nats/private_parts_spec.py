"""What the worker uses of nats-py that is private there, seen from the server's side: an update of
nats-py that takes it away fails here, and not in a cluster."""

import asyncio
import io
import json
from contextlib import redirect_stderr

import nats.errors
from expects import be_empty, be_false, be_true, contain, equal, expect, have_keys
from mamba import before, description, it

from playbooks.core.settings import read
from playbooks.engines.worker.nats import connection
from playbooks.engines.worker.settings import NATS

INFO = {
    "server_id": "specs",
    "version": "2.9.10",
    "proto": 1,
    "headers": True,
    "max_payload": 1048576,
    "auth_required": True,
}


class FakeServer:
    """Says ``info`` to whoever connects, and answers pings. ``connects``: what clients sent."""

    def __init__(self, **info):
        self.info = {**INFO, **info}
        self.connects = []

    async def serve(self, reader, writer):
        writer.write(f"INFO {json.dumps(self.info)}\r\n".encode())
        while line := await reader.readline():
            if line.startswith(b"CONNECT"):
                self.connects.append(json.loads(line[len(b"CONNECT ") :]))
            if line.startswith(b"PING"):
                writer.write(b"PONG\r\n")
        writer.close()

    def connected(self, look=lambda client: None, **settings):
        """What ``look`` saw of a client that is connected with these settings, or its error."""

        async def go():
            server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
            port = server.sockets[0].getsockname()[1]
            environ = {"NATS_URL": "nats://127.0.0.1:0", **settings}
            environ["NATS_URL"] = environ["NATS_URL"].replace(":0", f":{port}")
            chosen = read(NATS, environ)
            client = connection.client(chosen)
            once = {"allow_reconnect": False, "max_reconnect_attempts": 0}
            try:
                await client.connect(**{**connection.options(chosen), **once})
                return look(client)
            except nats.errors.Error as error:
                return error
            finally:
                await client.close()
                server.close()

        with redirect_stderr(io.StringIO()):
            return asyncio.run(go())


with description("What a worker says to a NATS server") as self:
    with before.each:
        self.server = FakeServer()

    with it("holds the decoded credentials of that server's URL"):
        self.server.connected(NATS_URL="nats://falco:p%40ss%2Fword@127.0.0.1:0")
        (sent,) = self.server.connects

        expect(sent).to(have_keys(**{"user": "falco", "pass": "p@ss/word"}))

    with it("holds no credentials where TLS was asked for and is not offered"):
        found = self.server.connected(NATS_URL="tls://falco:secret@127.0.0.1:0")

        expect(str(found)).to(contain("ask for TLS, and the server offers none"))
        expect(self.server.connects).to(be_empty)


with description("What a worker knows of a NATS server") as self:

    def known(self, **info):
        return FakeServer(**info).connected(
            lambda client: (
                connection.has_jetstream(client),
                connection.lets_anybody_in(client._server_info),
            )
        )

    with it("is whether it has JetStream, and whether it asks for credentials"):
        expect(self.known(jetstream=True)).to(equal((True, False)))
        expect(self.known(auth_required=False)).to(equal((False, True)))
        expect(self.known(auth_required=False, tls_verify=True)[1]).to(be_false)
        expect(self.known(jetstream=True, auth_required=False)[0]).to(be_true)
