"""The client of HTTP that the worker has, against a server that says what it is told to say."""

import gc
import socket
import threading
import time

import urllib3
from expects import be_below, contain, equal, expect
from mamba import after, before, description, it

from playbooks.core.errors import ClusterUnavailable, Conflict, Throttled
from playbooks.infrastructure.kubernetes import wire
from playbooks.infrastructure.kubernetes.api import KubernetesApi
from playbooks.infrastructure.kubernetes.connect import Connection, Route

GOOD = b'HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{"kind":"Good"}'
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b'8\r\n{"kind":\r\n6\r\n"Good"\r\n1\r\n}\r\n0\r\n\r\n'
)
CONFLICT = b'HTTP/1.1 409 Conflict\r\nContent-Length: 21\r\n\r\n{"reason":"Conflict"}'


class Scripted:
    """Gives each connection its answers in turn, then closes it. ``asked``: what each said."""

    def __init__(self):
        self.connections, self.asked = [], []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            answers = self.connections.pop(0) if self.connections else []
            threading.Thread(target=self._answer, args=(connection, answers), daemon=True).start()

    def _answer(self, connection, answers):
        said = []
        self.asked.append(said)
        for answer in answers:
            said.append(connection.recv(65536).decode())
            for part in answer if isinstance(answer, list) else [answer]:
                connection.sendall(part)
                time.sleep(0.01)
        connection.close()

    def stop(self):
        self._socket.close()


with description("The wire to the API server") as self:
    with before.each:
        self.server = Scripted()

    with after.each:
        self.server.stop()

    def api(self, *connections, seconds=5.0):
        self.server.connections = list(connections)
        connection = Connection(
            Route(f"http://127.0.0.1:{self.server.port}/base"), headers=[("X-A", "1"), ("X-A", "2")]
        )
        timeout = urllib3.Timeout(connect=3.0, read=seconds)
        return KubernetesApi(connect=lambda: connection, timeout=timeout)

    if wire.THERE:
        with it("asks as urllib3 does, on a connection that is kept"):
            api = self.api([GOOD, GOOD, GOOD])

            expect(api.get("api", "v1", "a b", limit="1")).to(equal({"kind": "Good"}))
            api.delete("api", "v1", "pods", "web-0", body={"a": 1})
            api.tell("DELETE", "api", "v1", "pods", "web-0", body={"a": 1})

            (said,) = self.server.asked
            head = said[0].split("\r\n")
            expect(head[0]).to(equal("GET /base/api/v1/a%20b?limit=1 HTTP/1.1"))
            expect(head[1]).to(equal(f"Host: 127.0.0.1:{self.server.port}"))
            expect(head).to(contain("X-A: 1", "X-A: 2", "Accept: application/json"))
            expect(said[1]).to(contain("Content-Length: 8\r\n", '\r\n\r\n{"a": 1}'))
            # Of what nobody looks at, the metadata is asked for, if the server can leave the rest.
            whole, least = (said[n].partition("Accept: ")[2].split("\r\n")[0] for n in (1, 2))
            expect(whole).to(equal("application/json"))
            partly = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
            expect(least).to(equal(f"{partly},application/json"))

        with it("reads an answer in parts, in chunks, and one that ends with its connection"):
            until_closed = b'HTTP/1.0 200 OK\r\n\r\n{"kind":"Good"}'
            parts = [GOOD[:20], GOOD[20:40], GOOD[40:]]
            api = self.api([parts, CHUNKED, until_closed], [GOOD])

            for _ in range(4):
                expect(api.get("version")).to(equal({"kind": "Good"}))
            expect([len(said) for said in self.server.asked]).to(equal([3, 1]))

        with it("leaves what is read as it comes to urllib3, also to 1.26, which has fewer names"):
            api = self.api([GOOD])
            exported = urllib3.HTTPHeaderDict
            del urllib3.HTTPHeaderDict
            try:
                answer = b"".join(api.stream("version", seconds=5.0))
            finally:
                urllib3.HTTPHeaderDict = exported

            expect(answer).to(equal(b'{"kind":"Good"}'))
            expect(self.server.asked[0][0]).to(contain("X-A: 1", "X-A: 2", "Accept: "))

        with it("keeps nothing of an answer, without anybody looking for cycles"):
            api = self.api([GOOD, GOOD])
            # Garbage is looked for in what comes from now on, not in all that specs loaded.
            gc.freeze()
            gc.disable()
            try:
                api.get("version")
                api.get("version")
                left = [each for each in gc.get_objects() if type(each) is wire._Parsed]
            finally:
                gc.enable()
                gc.unfreeze()

            expect(left).to(equal([]))

        with it("takes another connection where one was closed meanwhile, and asks once"):
            api = self.api([GOOD], [GOOD])
            api.get("version")
            time.sleep(0.1)
            api.get("version")

            expect([len(said) for said in self.server.asked]).to(equal([1, 1]))

        with it("takes what is cut off, slow or no HTTP for no answer"):
            for answers in ([GOOD[:30]], [[GOOD[:30]] + [b""] * 20], [b"SSH-2.0-x\r\n\r\n"], []):
                began = time.monotonic()
                try:
                    self.api(answers, seconds=0.1).get("version")
                    raised = None
                except Exception as error:
                    raised = type(error)

                expect((answers, raised)).to(equal((answers, ClusterUnavailable)))
                expect(time.monotonic() - began).to(be_below(3))

        with it("tells what an answer says that is not looked into"):

            def raised(answer):
                try:
                    self.api([answer]).tell("DELETE", "api", "v1", "pods", "web-0", body={})
                except Exception as error:
                    return type(error)

            page = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>"
            busy = b"HTTP/1.1 429 X\r\nRetry-After: 7\r\nContent-Length: 2\r\n\r\n{}"
            expect([raised(each) for each in (GOOD, CONFLICT, page, busy)]).to(
                equal([None, Conflict, ClusterUnavailable, Throttled])
            )

        with it("sends no header of two lines"):
            connection = Connection(
                Route(f"http://127.0.0.1:{self.server.port}"), headers=[("A", "b\r\nX-Evil: 1")]
            )
            try:
                KubernetesApi(connect=lambda: connection).get("version")
                raised = None
            except ClusterUnavailable as error:
                raised = str(error)

            expect(raised).to(contain("line break"))
            expect(self.server.asked).to(equal([]))

    with it("is not taken where a proxy stands in between"):
        expect(Route("http://a", proxy="http://b").wire()).to(equal(None))
