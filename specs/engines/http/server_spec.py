import asyncio
import io
import time
from contextlib import redirect_stderr
from unittest import mock

from expects import be_below, be_empty, contain, contain_exactly, equal, expect
from mamba import after, before, description, it

from playbooks.engines.http import connection, server
from playbooks.engines.http.connection import LARGEST, Response
from playbooks.engines.http.server import HttpServer

# A quarter of those that a worker takes, of all and of one source.
CONNECTIONS, OF_A_SOURCE = server.CONNECTIONS // 4, server.OF_A_SOURCE // 4

# Silent connections, and as many slow ones: together more than are taken at once.
MANY = CONNECTIONS * 3 // 5

changed = mock.patch.object

GET = "GET / HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n"
POST = "POST / HTTP/1.1\r\nHost: worker\r\n"


async def echo(request):
    if request.path == "/unread":
        return Response(401, b"no")
    if request.path == "/bug":
        raise KeyError("a bug")
    return Response(200, await request.body(), "text/plain")


class UnderWay:
    """Requests that are being answered until they may ``end``."""

    def __init__(self):
        self.begun, self.end = asyncio.Event(), asyncio.Event()

    async def handle(self, request):
        if request.path == "/slow":
            self.begun.set()
            await self.end.wait()
        return Response(200, b"")


def conversation(use, patience=5.0, handle=echo):
    """What ``use(port)`` returns, against a server of its own."""

    async def run():
        server = HttpServer("127.0.0.1", 0, handle, patience=patience)
        await server.start()
        try:
            return await asyncio.wait_for(use(server.port), 20)
        finally:
            await server.stop(0.1)

    return asyncio.run(run())


async def talk(port, *parts, pause=0.0):
    """Send the parts, and return everything that comes until the server hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part if isinstance(part, bytes) else part.encode())
            await writer.drain()
            await asyncio.sleep(pause)
        return (await reader.read()).decode()
    except ConnectionError:
        return ""
    finally:
        writer.close()


def said(*parts, patience=5.0, pause=0.0):
    return conversation(lambda port: talk(port, *parts, pause=pause), patience)


with description("The HTTP server") as self:
    with it("answers a request with a body"):
        answer = said(POST + "Connection: close\r\nContent-Length: 5\r\n\r\nhello")

        expect(answer).to(contain("HTTP/1.1 200"))
        expect(answer).to(contain("hello"))

    with it("answers a request whose body comes in chunks"):
        head = POST + "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"

        expect(said(head, "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n")).to(contain("hello"))

    with it("answers several requests on one connection"):
        one = POST + "Content-Length: 2\r\n\r\n"
        answer = said(one + "ab", POST + "Connection: close\r\nContent-Length: 2\r\n\r\ncd")

        expect(answer).to(contain("ab"))
        expect(answer).to(contain("cd"))

    with it("answers several requests that come at once"):
        last = "GET / HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n"
        answer = said("GET / HTTP/1.1\r\nHost: w\r\n\r\n" * 3 + last)

        expect(answer.count("HTTP/1.1 200")).to(equal(4))

    with it("lets a sender go on that asks first"):
        answer = said(
            POST + "Expect: 100-continue\r\nConnection: close\r\nContent-Length: 2\r\n\r\n",
            "ab",
            pause=0.02,
        )

        expect(answer).to(contain("HTTP/1.1 100"))
        expect(answer).to(contain("HTTP/1.1 200"))

    with it("refuses a body over 1 MiB without reading it"):
        expect(said(POST + f"Content-Length: {LARGEST + 1}\r\n\r\n")).to(contain("HTTP/1.1 413"))

    with it("refuses one that turns out to be larger"):
        chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
        head = POST + "Transfer-Encoding: chunked\r\n\r\n"

        expect(said(head, *[chunk] * 17, b"0\r\n\r\n")).to(contain("HTTP/1.1 413"))

    with it("takes one of exactly 1 MiB"):
        head = POST + f"Connection: close\r\nContent-Length: {LARGEST}\r\n\r\n"

        expect(said(head, b"x" * LARGEST)).to(contain("HTTP/1.1 200"))

    with it("holds so many bytes of bodies, and has room for a short one all the same"):
        whole = POST + "Connection: close\r\nContent-Length: 100000\r\n\r\n" + "x" * 100_000
        short = POST + "Connection: close\r\nContent-Length: 5\r\n\r\nhello"

        async def until(status, port):
            answer = ""
            while status not in answer:
                answer = await talk(port, whole)
            return answer

        async def use(port):
            held = [asyncio.ensure_future(talk(port, whole[:-1], pause=9)) for _ in range(2)]
            answers = [await until(" 503 ", port), await talk(port, short)]
            for each in held:
                each.cancel()
            return [*answers, await until(" 200 ", port)]

        with changed(connection, "MOST_BODIES", 250_000):
            refused, taken, later = conversation(use)

        expect(refused).to(contain("too many long alerts are being sent"))
        expect(taken).to(contain("200 ", "hello"))
        expect(later).to(contain("xxx"))

    with it("answers before it read the body, and the sender sees that"):
        head = POST.replace("/", "/unread", 1) + "Content-Length: 100000\r\n\r\n"

        expect(said(head, b"x" * 100000)).to(contain("HTTP/1.1 401"))

    with it("gives a slow sender up, however steadily it trickles"):
        begun = time.monotonic()
        trickle = [POST + "Content-Length: 1000\r\n\r\n", *["x"] * 20]
        answer = said(*trickle, patience=0.1, pause=0.01)

        expect(answer == "" or "HTTP/1.1 408" in answer).to(equal(True))
        expect(time.monotonic() - begun).to(be_below(5))

    with it("gives a sender up that never ends its head"):
        expect(said("POST / HTTP/1.1\r\n", patience=0.1)).to(contain("HTTP/1.1 408"))

    with it("answers others while many are slow"):

        async def use(port):
            slow = []
            for _ in range(200):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write((POST + "Content-Length: 1000\r\n\r\nx").encode())
                slow.append(writer)
            begun = time.monotonic()
            answer = await talk(port, "GET / HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n")
            for writer in slow:
                writer.close()
            return answer, time.monotonic() - begun

        answer, seconds = conversation(use)

        expect(answer).to(contain("HTTP/1.1 200"))
        expect(seconds).to(be_below(0.5))

    with it("refuses what is no HTTP"):
        expect(said("nonsense\r\n\r\n")).to(contain("HTTP/1.1 400"))
        expect(said(POST + "Content-Length: x\r\n\r\n")).to(contain("HTTP/1.1 4"))

    with it("refuses a head without an end"):
        expect(said("GET / HTTP/1.1\r\nHost: w\r\nA: " + "x" * 70000)).to(contain("HTTP/1.1 431"))

    with it("survives a bug, and says nothing of it"):
        with redirect_stderr(io.StringIO()):
            answer = said("GET /bug HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n")

        expect(answer).to(contain("HTTP/1.1 500"))
        expect(answer).not_to(contain("KeyError"))

    with it("survives a sender that hangs up"):

        async def use(port):
            for part in ("", "POST / HT", POST + "Content-Length: 5\r\n\r\nhe"):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(part.encode())
                writer.close()
            return await talk(port, "GET / HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n")

        expect(conversation(use)).to(contain("HTTP/1.1 200"))

    with it("ends with the answer to what was under way"):

        async def run():
            slow, loop = UnderWay(), asyncio.get_running_loop()
            server = HttpServer("127.0.0.1", 0, slow.handle)
            await server.start()
            request = "GET /slow HTTP/1.1\r\nHost: w\r\n\r\n"
            asking = loop.create_task(talk(server.port, request))
            await slow.begun.wait()
            loop.call_later(0.02, slow.end.set)
            await server.stop(5)
            return await asking

        expect(asyncio.run(run())).to(contain("HTTP/1.1 200"))

    with it("hangs up on idle connections when it ends"):

        async def run():
            server = HttpServer("127.0.0.1", 0, echo)
            await server.start()
            asking = asyncio.get_running_loop().create_task(talk(server.port))
            await asyncio.sleep(0.02)
            begun = time.monotonic()
            await server.stop(5)
            return await asking, time.monotonic() - begun

        answer, seconds = asyncio.run(run())

        expect(answer).to(be_empty)
        expect(seconds).to(be_below(1))


with description("Connections that send nothing, or as good as nothing") as self:
    with before.all:
        self.fewer = mock.patch.multiple(server, CONNECTIONS=CONNECTIONS, OF_A_SOURCE=OF_A_SOURCE)
        self.fewer.start()

    with after.all:
        self.fewer.stop()

    async def opened(self, port, count, source, first=b""):
        """So many connections from one address, each with these bytes sent."""
        connections = []
        for _ in range(count):
            made = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
            made[1].write(first)
            connections.append(made)
        return connections

    async def answered(self, port, source="127.0.0.1"):
        """The seconds until a request is answered."""
        begun = time.monotonic()
        reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
        writer.write(GET.encode())
        answer = await reader.read()
        writer.close()
        assert b"HTTP/1.1 200" in answer, answer
        return time.monotonic() - begun

    with it("do not keep others waiting, however many there are, of one address or many"):
        for sources in (1, 25):

            async def use(port, sources=sources):
                each = MANY // sources
                names = [f"127.0.1.{n + 1}" for n in range(sources)]
                took, held = [], []
                for name in names:
                    held += await self.opened(port, each, name)
                    held += await self.opened(port, each, name, b"POST / HTTP/1.1\r\nA: ")
                for _ in range(3):
                    for _, writer in held[::7]:
                        if not writer.is_closing():
                            writer.write(b"x")
                    took += [await self.answered(port), await self.answered(port, names[0])]
                for _, writer in held:
                    writer.close()
                return max(took)

            expect(conversation(use, patience=60.0)).to(be_below(1.0))

    with it("give way to new ones, the oldest first, of the same address first"):

        async def use(port):
            other = await self.opened(port, 1, "127.0.2.2")
            first = await self.opened(port, OF_A_SOURCE, "127.0.2.1")
            await self.answered(port, "127.0.2.1")
            ended = await asyncio.wait_for(first[0][0].read(), 2)
            open_still = [not made[0].at_eof() for made in (*other, *first[1:])]
            for _, writer in (*other, *first):
                writer.close()
            return ended, all(open_still)

        expect(conversation(use)).to(equal((b"", True)))

    with it("do not push out the few of another address, where many come from many"):

        async def use(port):
            few = await self.opened(port, 2, "127.0.2.250", b"POST / HTTP/1.1\r\n")
            sources = CONNECTIONS // OF_A_SOURCE + 1
            held = []
            for source in range(sources):
                held += await self.opened(port, OF_A_SOURCE, f"127.0.2.{source + 1}")
            await self.answered(port, "127.0.2.251")
            open_still = [not made[0].at_eof() for made in few]
            for _, writer in (*few, *held):
                writer.close()
            return open_still

        expect(conversation(use, patience=60.0)).to(equal([True, True]))

    with it("do not push out a request that is being answered"):
        slow = UnderWay()

        async def use(port):
            request = GET.replace("/", "/slow", 1)
            asking = asyncio.get_running_loop().create_task(talk(port, request))
            await slow.begun.wait()
            held = await self.opened(port, 2 * OF_A_SOURCE, "127.0.0.1")
            await self.answered(port, "127.0.3.1")
            slow.end.set()
            answer = await asking
            for _, writer in held:
                writer.close()
            return answer

        expect(conversation(use, handle=slow.handle)).to(contain("HTTP/1.1 200"))

    with it("give way also where they do not read what they are answered"):

        async def large(_):
            # More than the sockets take.
            return Response(200, b"x" * 8 * 1024 * 1024)

        async def use(port):
            held = []
            for source in range(4):
                held += await self.opened(port, 2, f"127.0.4.{source + 1}", GET.encode())
            await asyncio.sleep(0.5)
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, local_addr=("127.0.4.250", 0)
            )
            writer.write(GET.encode())
            answer = await asyncio.wait_for(reader.read(12), 5)
            for _, each in (*held, (reader, writer)):
                each.close()
            return answer

        fewer = mock.patch.multiple(server, CONNECTIONS=8, OF_A_SOURCE=2)
        with fewer:
            answer = conversation(use, patience=60.0, handle=large)

        expect(answer).to(equal(b"HTTP/1.1 200"))

    with it("are closed after the time for a first byte, and after the time for a whole head"):
        quick = mock.patch.multiple(connection, FIRST_BYTE=0.1, HEAD=0.2)
        with quick:
            begun = time.monotonic()
            expect(said()).to(be_empty)
            silent = time.monotonic() - begun
            expect(said("POST / HT", "x", "x", pause=0.05)).to(contain("HTTP/1.1 408"))
            slow = time.monotonic() - begun - silent

        expect([silent, slow]).to(contain_exactly(be_below(1.0), be_below(2.0)))
