"""Commands in a container, over a WebSocket of a small API server. Runs without a cluster."""

import base64
import hashlib
import json
import struct
from unittest.mock import patch
from urllib.parse import parse_qs, urlsplit

from expects import be_a, contain, equal, expect
from mamba import after, before, description, it

from playbooks.core.cluster.objects import Executed
from playbooks.core.errors import (
    ClusterUnavailable,
    NoCluster,
    NotFound,
    NotPermitted,
    PlaybookError,
    Refused,
)
from playbooks.infrastructure.kubernetes import exec as module
from specs.support.loopback.certificates import a_certificate, an_authority
from specs.support.loopback.kubeconfigs import Kubeconfigs
from specs.support.loopback.server import Answer, LoopbackServer, Proxy

OUT, ERR, STATUS = 1, 2, 3

SUCCESS = {"status": "Success"}

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def exited(code):
    cause = {"reason": "ExitCode", "message": str(code)}
    return {"status": "Failure", "reason": "NonZeroExitCode", "details": {"causes": [cause]}}


def a_frame(stream, data, *, kind=2, final=True):
    payload = bytes([stream]) + data if stream is not None else data
    head = bytes([(0x80 if final else 0) | kind])
    if len(payload) < 126:
        return head + bytes([len(payload)]) + payload
    return head + b"\x7e" + struct.pack("!H", len(payload)) + payload


def a_status(status):
    return a_frame(STATUS, json.dumps(status).encode())


CLOSE = a_frame(None, struct.pack("!H", 1000), kind=8)
PING = a_frame(None, b"?", kind=9)


def upgraded(*frames):
    """What answers a request for a WebSocket, with these frames and nothing after them."""

    def answer(asked):
        key = asked.headers["sec-websocket-key"] + GUID
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        headers = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Accept": accept,
            "Sec-WebSocket-Protocol": "v5.channel.k8s.io",
        }

        def then(connection):
            connection.sendall(b"".join(frames))
            # What the client says meanwhile is read: else closing would take frames from it.
            while frames[-1:] == (CLOSE,) and connection.recv(1024):
                pass

        return Answer(101, b"", headers, then)

    return answer


with description("A command in a container") as self:
    with before.all:
        self.authority = an_authority()
        self.server = LoopbackServer(a_certificate(self.authority, "127.0.0.1", "api.example"))

    with after.all:
        self.server.stop()

    with before.each:
        self.server.asked.clear()
        self.kube = Kubeconfigs(self.server, self.authority)
        self.kube.config(user={"token": "secret"})

    with after.each:
        self.kube.clean()

    def execute(self, *frames, answer=None, **how):
        self.server.answer = answer or upgraded(*frames)
        try:
            return module.execute(self.kube.api(), "shop", "web-1", "main", ["cat", "a b"], **how)
        except PlaybookError as error:
            return error

    with it("gives what it prints, what it complains about and its exit code, apart"):
        done = self.execute(
            a_frame(OUT, b"out"),
            a_frame(ERR, b"err"),
            a_frame(OUT, b"put"),
            a_status(SUCCESS),
            CLOSE,
        )

        expect(done).to(equal(Executed(0, "output", "err")))

    with it("is asked for with its words, its container and our credentials"):
        self.execute(a_status(SUCCESS), CLOSE)
        asked = self.server.asked[0]
        path = urlsplit(asked.path)

        expect(path.path).to(equal("/api/v1/namespaces/shop/pods/web-1/exec"))
        expect(parse_qs(path.query)).to(
            equal(
                {
                    "container": ["main"],
                    "stdout": ["true"],
                    "stderr": ["true"],
                    "command": ["cat", "a b"],
                }
            )
        )
        expect(asked.headers["authorization"]).to(equal("Bearer secret"))
        expect(asked.headers["sec-websocket-protocol"]).to(
            equal("v5.channel.k8s.io,v4.channel.k8s.io")
        )

    with it("ends with its exit code"):
        for code in (7, 137):
            expect(self.execute(a_status(exited(code)), CLOSE).code).to(equal(code))

    with it("may end a frame, and a message, within a character"):
        first, second = "é".encode()[:1], "é".encode()[1:]
        done = self.execute(
            a_frame(OUT, first),
            a_frame(OUT, second + first, final=False),
            PING,
            a_frame(None, second, kind=0),
            a_status(SUCCESS),
            CLOSE,
        )

        expect(done.out).to(equal("éé"))

    with it("may print what is no text, and much of it"):
        frames = [a_frame(OUT, b"0123456789" * 1000)] * 100
        done = self.execute(*frames, a_frame(OUT, b"\xff"), a_status(SUCCESS), CLOSE)

        expect([len(done.out), done.out[-1]]).to(equal([1_000_001, "\ufffd"]))

    with it("is read no further than so many bytes: it can be a stranger's"):
        frames = [a_frame(stream, b"0123456789" * 1000) for stream in (OUT, ERR)]
        with patch.object(module, "MOST", 19_999):
            error = self.execute(*frames, a_status(SUCCESS), CLOSE)

        expect(error).to(be_a(Refused))
        expect(str(error)).to(contain("cat in pod shop/web-1 writes more than 19999 bytes"))

    with it("needs no closing frame once it has ended"):
        expect(self.execute(a_frame(OUT, b"a"), a_status(SUCCESS)).out).to(equal("a"))

    with it("has not ended where the connection did before it"):
        error = self.execute(a_frame(OUT, b"half"))

        expect(error).to(be_a(ClusterUnavailable))
        expect(str(error)).to(contain("the connection ended before cat in pod shop/web-1 did"))

    with it("is refused where there is no such program"):
        said = "OCI runtime exec failed: no such file or directory"
        error = self.execute(a_status({"status": "Failure", "message": said, "code": 500}), CLOSE)

        expect(error).to(be_a(Refused))
        expect(str(error)).to(equal(f"cat in pod shop/web-1 was not run: {said}"))

    with it("is not run where the API server says no, and its words are said"):
        for status, kind in (
            (404, NotFound),
            (403, NotPermitted),
            (400, Refused),
            (500, ClusterUnavailable),
        ):
            body = {"kind": "Status", "code": status, "message": 'pods "web-1" says why'}
            error = self.execute(answer=lambda asked, s=status, b=body: Answer(s, b))

            expect(error).to(be_a(kind))
            expect(str(error)).to(contain("web-1/exec", 'pods "web-1" says why', f"({status})"))

    with it("is not asked for elsewhere"):
        elsewhere = {"Location": "https://198.18.7.7/"}
        error = self.execute(answer=lambda asked: Answer(302, b"", elsewhere))

        expect(error).to(be_a(ClusterUnavailable))

    with it("has a deadline"):

        def silent(asked):
            answer = upgraded()(asked)
            answer.then = lambda connection: connection.recv(1)
            return answer

        error = self.execute(answer=silent, seconds=0.1)

        expect(error).to(be_a(ClusterUnavailable))
        expect(str(error)).to(contain("did not end in time"))

    with it("is run through the proxy of the cluster, with its credentials"):
        proxy = Proxy(self.server)
        cluster = self.kube.cluster(
            server="https://api.example:6443", proxy_url=f"http://me:s%40cret@{proxy.address}"
        )
        self.kube.config(cluster=cluster)
        done = self.execute(a_frame(OUT, b"out"), a_status(SUCCESS), CLOSE)
        proxy.stop()

        expect(done.out).to(equal("out"))
        expect(proxy.asked[0]).to(contain("CONNECT api.example:6443"))
        expect(proxy.credentials).to(equal("Basic " + base64.b64encode(b"me:s@cret").decode()))

    with it("is not run through a proxy of HTTPS"):
        self.kube.config(cluster=self.kube.cluster(proxy_url="https://proxy.example"))

        expect(self.execute()).to(be_a(NoCluster))

    with it("is not run on a server that is not verified, nor on one that is not there"):
        self.kube.config(cluster=self.kube.cluster(tls_server_name="other.example"))
        expect(self.execute(a_status(SUCCESS))).to(be_a(ClusterUnavailable))

        self.kube.config(cluster=self.kube.cluster(server="https://127.0.0.1:1"))
        expect(self.execute(a_status(SUCCESS))).to(be_a(ClusterUnavailable))
        expect(self.server.asked).to(equal([]))

    with it("is run along the path of the server, and by plain HTTP"):
        plain = LoopbackServer(answer=upgraded(a_frame(OUT, b"out"), a_status(SUCCESS), CLOSE))
        self.kube.config(cluster={"server": f"{plain.url}/k8s"})

        expect(self.execute().out).to(equal("out"))
        expect(plain.asked[0].path).to(contain("/k8s/api/v1/namespaces/shop"))
        plain.stop()
