import asyncio
import gzip
import io
import json
from contextlib import redirect_stderr

from expects import be_below_or_equal, be_none, contain, equal, expect, have_key, have_keys
from mamba import description, it

from playbooks.core.errors import InvalidSetting
from playbooks.core.outcome import Outcome
from playbooks.engines.http.connection import HttpRequest
from playbooks.engines.worker.http_api import HttpApi, NotTaken, looks_proxied
from playbooks.testing import a_document

ZIPPED = gzip.compress(json.dumps(a_document()).encode())
TOKEN = "0123456789abcdef"
DONE = Outcome.acted("pod shop/web-0", "done", "done")
TRIED = Outcome.would_act("pod shop/web-0", "delete", "would delete", node="node-1")
PROXY = "/api/v1/namespaces/shop/services/falco-delete:http-function-port/proxy/"


class FakeReceiver:
    def __init__(self, taken):
        self.taken = taken
        self.alerts = []
        self.dry = []
        self.traces = []

    async def take(self, body, trace=None):
        self.alerts.append(body)
        self.traces.append(trace)
        if isinstance(self.taken, Exception):
            raise self.taken
        return self.taken

    async def try_out(self, body):
        self.dry.append(body)
        return TRIED


def an_api(taken=("FALCO_INBOX:1", DONE), token=lambda: TOKEN, missing=None, opened=True):
    receiver = FakeReceiver(taken)
    api = HttpApi(
        token=token,
        namespace="shop",
        function="falco-delete",
        ready=lambda: missing,
        page=lambda: b"metrics\n",
    )
    if opened:
        api.receive(receiver)
    return api, receiver


def ask(api, method="POST", path="/", body=None, **headers):
    text = json.dumps(a_document()).encode() if body is None else body
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    async def read():
        return text

    answer = asyncio.run(api.answer(HttpRequest(method, path, named, read)))
    document = json.loads(answer.body) if answer.type == "application/json" else None
    return answer.status, document


def post(api, token=TOKEN, **others):
    return ask(api, authorization=f"Bearer {token}", **others)


with description("The ports of probes and metrics") as self:
    with it("have nothing but these, whoever calls"):
        api, receiver = an_api()

        def statuses(handle):
            paths = ("/healthz", "/readyz", "/metrics", "/")
            asked = [HttpRequest("GET", path, {}, None) for path in paths]
            asked.append(HttpRequest("POST", "/", {"authorization": f"Bearer {TOKEN}"}, None))
            return [asyncio.run(handle(request)).status for request in asked]

        expect(statuses(api.probe)).to(equal([200, 200, 404, 404, 404]))
        expect(statuses(api.metrics)).to(equal([404, 404, 200, 404, 404]))
        expect(receiver.alerts).to(equal([]))


with description("POST /") as self:
    with it("answers 200 with the outcome"):
        status, document = post(an_api()[0])

        expect(status).to(equal(200))
        expect(document).to(have_keys(id="FALCO_INBOX:1", status="acted", target="pod shop/web-0"))

    with it("inflates an alert that Falco compressed, and stores it inflated"):
        api, receiver = an_api()
        head = {"authorization": f"Bearer {TOKEN}"}

        expect(ask(api, body=ZIPPED, content_encoding="gzip", **head)[0]).to(equal(200))
        expect(receiver.alerts).to(equal([gzip.decompress(ZIPPED)]))
        expect(ask(api, body=ZIPPED, content_encoding="br", **head)[0]).to(equal(415))
        expect(ask(api, body=b"x", content_encoding="gzip", **head)[0]).to(equal(400))

    with it("passes on the trace that the caller names, where it is a valid one"):
        valid = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        api, receiver = an_api()
        post(api, traceparent=valid)
        post(api, traceparent="00-1")

        expect([str(trace) for trace in receiver.traces]).to(equal([valid, "None"]))

    with it("answers 202 with the id when it is stored and not done yet"):
        status, document = post(an_api(("FALCO_INBOX:7", None))[0])

        expect(status).to(equal(202))
        expect(document).to(have_key("id", "FALCO_INBOX:7"))

    with it("answers 503 when it could be neither done nor stored"):
        expect(post(an_api(NotTaken("neither"))[0])[0]).to(equal(503))

    with it("answers 503 before the worker has begun, with what is missing"):
        status, document = post(an_api(opened=False, missing="it is starting")[0])

        expect(status).to(equal(503))
        expect(document["error"]).to(contain("it is starting"))

    with it("answers 400 for what is no alert, and takes nothing in"):
        api, receiver = an_api()

        expect(post(api, body=b"nonsense")[0]).to(equal(400))
        expect(post(api, body=b'{"rule": "x"}')[1]["error"]).to(contain("priority"))
        expect(receiver.alerts).to(equal([]))

    with it("answers 401 without the token, or with a wrong one, and takes nothing in"):
        api, receiver = an_api()

        expect(ask(api)[0]).to(equal(401))
        expect(post(api, "wrong")[0]).to(equal(401))
        expect(post(api, TOKEN + "x")[0]).to(equal(401))
        expect(post(api, "ü" * 16)[0]).to(equal(401))
        expect(ask(api, authorization=f"Basic {TOKEN}")[0]).to(equal(401))
        expect(receiver.alerts).to(equal([]))

    with it("reads the token anew each time, so that it can be rotated"):
        tokens = [TOKEN, "another-token-of-16"]
        api, _ = an_api(token=lambda: tokens[0])
        first = post(api)[0]
        tokens.pop(0)

        expect(first).to(equal(200))
        expect(post(api)[0]).to(equal(401))
        expect(post(api, "another-token-of-16")[0]).to(equal(200))

    with it("lets nobody in where the token cannot be read"):

        def unreadable():
            raise InvalidSetting("gone")

        with redirect_stderr(io.StringIO()):
            expect(post(an_api(token=unreadable)[0])[0]).to(equal(401))
        expect(post(an_api(token=lambda: "")[0], "")[0]).to(equal(401))

    with it("takes an alert on any path but those that tell, as Kubeless does"):
        twice = "/namespaces/shop/services/falco-delete:http-function-port/proxy"

        expect(ask(an_api()[0], "POST", twice)[0]).to(equal(401))

    with it("answers 405 to other methods"):
        expect(ask(an_api()[0], "GET")[0]).to(equal(405))
        expect(ask(an_api()[0], "PUT")[0]).to(equal(405))

    with it("is 404 where HTTP is off"):
        api, receiver = an_api(token=None)

        expect(post(api)[0]).to(equal(404))
        expect(ask(api, x_forwarded_uri=PROXY)[0]).to(equal(404))
        expect(receiver.dry).to(equal([]))

with description("A call through the API server's proxy, without a token") as self:
    with it("is a dry run, explained, and never an action"):
        api, receiver = an_api()
        status, document = ask(api, x_forwarded_uri=PROXY)

        expect(status).to(equal(200))
        expect(document).to(have_keys(dry_run=True, status="would act", target="pod shop/web-0"))
        expect(document["explanation"]).to(contain("nothing was changed"))
        expect(receiver.alerts).to(equal([]))

    with it("is told nothing that only the cluster knows"):
        _, document = ask(an_api()[0], x_forwarded_uri=PROXY)

        expect(json.dumps(document)).not_to(contain("node-1"))

    with it("is limited in rate"):
        api, receiver = an_api()
        answers = [ask(api, x_forwarded_uri=PROXY)[0] for _ in range(10)]

        expect(set(answers)).to(equal({200, 429}))
        expect(len(receiver.dry)).to(be_below_or_equal(6))

    with it("has a short alert: reading a long one keeps the worker from anything else"):
        api, receiver = an_api()
        body = json.dumps(a_document(output_fields={"a": [[]] * 10_000})).encode()

        expect(ask(api, body=body, x_forwarded_uri=PROXY)[0]).to(equal(413))
        expect(receiver.dry).to(equal([]))
        expect(post(api, body=body)[0]).to(equal(200))

    with it("acts where it does have the token"):
        api, receiver = an_api()
        post(api, x_forwarded_uri=PROXY)

        expect(len(receiver.alerts)).to(equal(1))

    with it("is one to this function"):
        for uri in (
            PROXY,
            "/api/v1/namespaces/shop/services/http:falco-delete:8080/proxy/",
            "/api/v1/namespaces/shop/pods/falco-delete-7d-x:8080/proxy/",
        ):
            headers = {"x-forwarded-uri": uri}
            expect(looks_proxied(headers, namespace="shop", function="falco-delete")).to(
                equal(True)
            )
        for uri in ("", "/", "/api/v1/namespaces/other/services/falco-delete:8080/proxy/"):
            headers = {"x-forwarded-uri": uri}
            expect(looks_proxied(headers, namespace="shop", function="falco-delete")).to(
                equal(False)
            )

with description("What needs no token") as self:
    with it("is whether the loop turns"):
        expect(ask(an_api(missing="NATS")[0], "GET", "/healthz")[0]).to(equal(200))

    with it("is whether alerts can be accepted, and what is missing"):
        expect(ask(an_api()[0], "GET", "/readyz")[0]).to(equal(200))
        status, document = ask(an_api(missing="no stream")[0], "GET", "/readyz")
        expect(status).to(equal(503))
        expect(document["error"]).to(contain("no stream"))

    with it("is the metrics"):
        status, document = ask(an_api()[0], "GET", "/metrics")

        expect(status).to(equal(200))
        expect(document).to(be_none)

    with it("is only read"):
        expect(ask(an_api()[0], "POST", "/metrics")[0]).to(equal(405))
