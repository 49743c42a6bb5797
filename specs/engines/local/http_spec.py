import gzip
import http.client
import json
import threading
from contextlib import suppress

from expects import contain, equal, expect
from mamba import after, before, description, it

from playbooks.core.errors import InvalidAlert, NotPermitted
from playbooks.core.outcome import Outcome
from playbooks.engines.local.http import LARGEST, Endpoint
from playbooks.engines.local.interruption import Interruption

DONE = Outcome.acted("pod shop/web-0", "done", "done")


with description("The HTTP endpoint") as self:
    with before.each:
        self.bodies, self.outcome = [], DONE
        self.interruption = Interruption(give_up=lambda: None)
        self.endpoint = Endpoint(0, self.publish, interruption=self.interruption)
        self.thread = threading.Thread(target=self.endpoint.serve)
        self.thread.start()

    with after.each:
        self.interruption.requested = True
        with suppress(OSError):
            # So that it notices at once. It may have ended before this comes.
            self.call("GET")
        self.thread.join(10)

    def publish(self, body, origin):
        self.bodies.append(body)
        return self.outcome

    def call(self, method, path="/", body=None, **headers):
        host = self.endpoint.url[len("http://") :].rstrip("/")
        connection = http.client.HTTPConnection(host, timeout=5)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        finally:
            connection.close()

    with it("answers 200 with the outcome"):
        expect(self.call("POST", body=b"{}")).to(equal((200, DONE.to_dict())))
        expect(self.bodies).to(equal([b"{}"]))

    with it("inflates what Falco compressed, and answers 415 for another encoding"):
        zipped = {"body": gzip.compress(b"{}"), "Content-Encoding": "gzip"}

        expect(self.call("POST", **zipped)[0]).to(equal(200))
        expect(self.bodies).to(equal([b"{}"]))
        expect(self.call("POST", body=b"x", **{"Content-Encoding": "br"})[0]).to(equal(415))

    with it("answers 400 for what is no alert"):
        self.outcome = Outcome.failed(InvalidAlert("no"))

        expect(self.call("POST", body=b"")[0]).to(equal(400))

    with it("answers 500 for what failed, as Kubeless does"):
        self.outcome = Outcome.failed(NotPermitted("no"))
        status, answer = self.call("POST", body=b"{}")

        expect(status).to(equal(500))
        expect(answer["message"]).to(equal("no"))

    with it("takes alerts at / only, by POST only"):
        expect(self.call("POST", "/other", b"{}")[0]).to(equal(404))
        expect(self.call("GET")[0]).to(equal(405))
        expect(self.call("DELETE")[0]).to(equal(405))
        expect(self.bodies).to(equal([]))

    with it("takes no alert of more than 1 MiB, and reads none of it"):
        status, _ = self.call("POST", **{"Content-Length": str(LARGEST + 1)})

        expect(status).to(equal(413))

    with it("takes nothing from a web page"):
        expect(self.call("POST", body=b"{}", Origin="https://example.com")[0]).to(equal(403))
        expect(self.call("POST", body=b"{}", Host="rebound.example.com")[0]).to(equal(403))
        expect(self.bodies).to(equal([]))

    with it("listens on the loopback"):
        expect(self.endpoint.url).to(contain("http://127.0.0.1:"))
