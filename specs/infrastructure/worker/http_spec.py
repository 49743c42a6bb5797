"""Every answer of the worker's HTTP server, where alerts name pods of the real cluster."""

import contextlib
import json
import socket
import time

from expects import be_below, contain, equal, expect
from mamba import after, before, description, it

from specs.engines.worker.rig import TOKEN
from specs.support.cluster import real_cluster as cluster
from specs.support.conditions import CLUSTER, not_run_unless, program
from specs.support.processes import eventually
from specs.support.worker.worker_on_cluster import FUNCTION, Served

AT_ONCE = 64


def begin(self):
    self.served = Served("falco.error.*")
    self.served.begin()
    self.worker = self.served.start_serving()


def a_pod(self, name):
    """One that is never scheduled, and the body of an alert that its uid proves."""
    manifest = cluster.a_pod_manifest(name, self.served.namespace, gated=True)
    (pod,) = cluster.create(manifest)
    return pod, json.dumps(cluster.alert_about(pod)).encode()


def there(self, pod):
    """Whether nobody deleted it."""
    found = cluster.stored("pod", pod["metadata"]["name"], self.served.namespace)
    return found is not None and "deletionTimestamp" not in found["metadata"]


def a_slow_sender(self, body):
    """A connection with all of a request but the end of its body."""
    sender = socket.create_connection(("127.0.0.1", self.worker.port), timeout=30)
    head = f"POST / HTTP/1.1\r\nHost: w\r\nAuthorization: Bearer {TOKEN}\r\n"
    sender.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:-1])
    return sender


def timed(act):
    begun = time.monotonic()
    said = act()
    return said, time.monotonic() - begun


with description("The HTTP server of a worker on the real cluster") as self:
    with before.all:
        begin(self)

    with after.all:
        self.served.end()

    with it("answers 200 with what was done"):
        pod, body = a_pod(self, "done")
        status, said = self.worker.post(body)

        expect(status).to(equal(200))
        expect(json.loads(said)["status"]).to(equal("acted"))
        expect(cluster.gone(pod)).to(equal(True))

    with it("answers 202 while the API server is away, and does it when it is back"):
        pod, body = a_pod(self, "stored")
        self.served.proxy.cut()
        (status, said), took = timed(lambda: self.worker.post(body))
        self.served.proxy.restore()

        expect(status).to(equal(202))
        expect(json.loads(said)["id"]).to(contain("FALCO_INBOX:"))
        expect(took).to(be_below(8))
        expect(cluster.gone(pod)).to(equal(True))

    with it("answers 400 for what is no alert"):
        status, said = self.worker.post(b"nonsense")

        expect(status).to(equal(400))
        expect(said).to(contain("this is no alert"))

    with it("answers 401 without its token, and leaves the pod alone"):
        pod, body = a_pod(self, "refused")
        answers = [self.worker.post(body, token=token) for token in (None, "", "not-" + TOKEN)]

        expect([status for status, _ in answers]).to(equal([401, 401, 401]))
        expect(there(self, pod)).to(equal(True))

    with it("answers 405 to what is no POST"):
        expect(self.worker.get("/")[0]).to(equal(405))

    with it("answers 413 to an alert over 1 MiB"):
        expect(self.worker.post(b" " * (1024 * 1024 + 1))[0]).to(equal(413))

    with it("answers 429 while too many are being taken in, and takes alerts again afterwards"):
        pod, body = a_pod(self, "afterwards")
        with contextlib.ExitStack() as senders:
            for _ in range(AT_ONCE):
                senders.enter_context(a_slow_sender(self, body))
            eventually(lambda: self.worker.post(body)[0] == 429, 5)
            # They did not take anything in.
            expect(there(self, pod)).to(equal(True))
        eventually(lambda: self.worker.post(body)[0] == 200, 5)

        expect(cluster.gone(pod)).to(equal(True))

    with it("answers 408 to a sender that is slow, and others meanwhile"):
        slow, its_body = a_pod(self, "slow")
        pod, body = a_pod(self, "quick")
        sender = a_slow_sender(self, its_body)
        (status, _), took = timed(lambda: self.worker.post(body))
        said, waited = timed(lambda: sender.recv(65536))
        sender.close()

        expect(status).to(equal(200))
        expect(took).to(be_below(5))
        expect(said).to(contain(b"HTTP/1.1 408 "))
        expect(waited).to(be_below(15))
        expect(there(self, slow)).to(equal(True))

    with it("gives who calls through the API server's proxy a few dry runs, then 429"):
        pod, body = a_pod(self, "tried")
        uri = f"/api/v1/namespaces/{self.served.namespace}/services/{FUNCTION}:8080/proxy/"
        statuses = [self.worker.post(body, None, X_Forwarded_Uri=uri)[0] for _ in range(12)]

        expect(set(statuses)).to(equal({200, 429}))
        expect(there(self, pod)).to(equal(True))

with description("The HTTP server of a worker on the real cluster, without NATS") as self:
    with before.all:
        begin(self)
        self.served.nats.stop()
        eventually(lambda: self.worker.get("/readyz")[0] == 503)

    with after.all:
        self.served.proxy.restore()
        self.served.end()

    with it("answers 200 for what cannot be stored, and can be done"):
        pod, body = a_pod(self, "done")

        expect(self.worker.post(body)[0]).to(equal(200))
        expect(cluster.gone(pod)).to(equal(True))

    with it("answers 503 for what can be neither done nor stored"):
        pod, body = a_pod(self, "neither")
        self.served.proxy.cut()
        status, said = self.worker.post(body)

        expect(status).to(equal(503))
        expect(said).to(contain("neither done nor stored"))
        expect(there(self, pod)).to(equal(True))


not_run_unless(CLUSTER, globals())
not_run_unless(program("nats-server"), globals())
