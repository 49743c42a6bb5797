import asyncio
import io
import json
from contextlib import redirect_stderr

from expects import be_none, contain, equal, expect, have_key, have_keys
from mamba import description, it

from playbooks.core.errors import InvalidSetting
from playbooks.core.outcome import Outcome
from playbooks.engines.worker.http.api import Door, NotTaken, looks_proxied
from playbooks.engines.worker.http.server import Request
from specs.support.mothers import a_document

TOKEN = "0123456789abcdef"
DONE = Outcome.acted("pod shop/web-0", "done", "done")
TRIED = Outcome.would_act("pod shop/web-0", "delete", "would delete", node="node-1")
PROXY = "/api/v1/namespaces/shop/services/falco-delete:http-function-port/proxy/"


class FakeReception:
    def __init__(self, taken):
        self.taken = taken
        self.alerts = []
        self.dry = []

    async def take(self, body):
        self.alerts.append(body)
        if isinstance(self.taken, Exception):
            raise self.taken
        return self.taken

    async def try_out(self, body):
        self.dry.append(body)
        return TRIED


def a_door(taken=("FALCO_INBOX:1", DONE), token=lambda: TOKEN, missing=None, opened=True):
    reception = FakeReception(taken)
    door = Door(
        token=token,
        namespace="shop",
        function="falco-delete",
        ready=lambda: missing,
        page=lambda: b"metrics\n",
    )
    if opened:
        door.open(reception)
    return door, reception


def ask(door, method="POST", path="/", body=None, **headers):
    text = json.dumps(a_document()).encode() if body is None else body
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    async def read():
        return text

    answer = asyncio.run(door.answer(Request(method, path, named, read)))
    document = json.loads(answer.body) if answer.type == "application/json" else None
    return answer.status, document


def post(door, token=TOKEN, **others):
    return ask(door, authorization=f"Bearer {token}", **others)


with description("POST /") as self:
    with it("answers 200 with the outcome"):
        status, document = post(a_door()[0])

        expect(status).to(equal(200))
        expect(document).to(have_keys(id="FALCO_INBOX:1", status="acted", target="pod shop/web-0"))

    with it("answers 202 with the id when it is stored and not done yet"):
        status, document = post(a_door(("FALCO_INBOX:7", None))[0])

        expect(status).to(equal(202))
        expect(document).to(have_key("id", "FALCO_INBOX:7"))

    with it("answers 503 when it could be neither done nor stored"):
        expect(post(a_door(NotTaken("neither"))[0])[0]).to(equal(503))

    with it("answers 503 before the worker has begun, with what is missing"):
        status, document = post(a_door(opened=False, missing="it is starting")[0])

        expect(status).to(equal(503))
        expect(document["error"]).to(contain("it is starting"))

    with it("answers 400 for what is no alert, and takes nothing in"):
        door, reception = a_door()

        expect(post(door, body=b"nonsense")[0]).to(equal(400))
        expect(post(door, body=b'{"rule": "x"}')[1]["error"]).to(contain("priority"))
        expect(reception.alerts).to(equal([]))

    with it("answers 401 without the token, or with a wrong one, and takes nothing in"):
        door, reception = a_door()

        expect(ask(door)[0]).to(equal(401))
        expect(post(door, "wrong")[0]).to(equal(401))
        expect(post(door, TOKEN + "x")[0]).to(equal(401))
        expect(post(door, "ü" * 16)[0]).to(equal(401))
        expect(ask(door, authorization=f"Basic {TOKEN}")[0]).to(equal(401))
        expect(reception.alerts).to(equal([]))

    with it("reads the token anew each time, so that it can be rotated"):
        tokens = [TOKEN, "another-token-of-16"]
        door, _ = a_door(token=lambda: tokens[0])
        first = post(door)[0]
        tokens.pop(0)

        expect(first).to(equal(200))
        expect(post(door)[0]).to(equal(401))
        expect(post(door, "another-token-of-16")[0]).to(equal(200))

    with it("lets nobody in where the token cannot be read"):

        def unreadable():
            raise InvalidSetting("gone")

        with redirect_stderr(io.StringIO()):
            expect(post(a_door(token=unreadable)[0])[0]).to(equal(401))
        expect(post(a_door(token=lambda: "")[0], "")[0]).to(equal(401))

    with it("takes an alert on any path but those that tell, as Kubeless does"):
        twice = "/namespaces/shop/services/falco-delete:http-function-port/proxy"

        expect(ask(a_door()[0], "POST", twice)[0]).to(equal(401))

    with it("answers 405 to other methods"):
        expect(ask(a_door()[0], "GET")[0]).to(equal(405))
        expect(ask(a_door()[0], "PUT")[0]).to(equal(405))

    with it("is 404 where the door is closed"):
        door, reception = a_door(token=None)

        expect(post(door)[0]).to(equal(404))
        expect(ask(door, x_forwarded_uri=PROXY)[0]).to(equal(404))
        expect(reception.dry).to(equal([]))

with description("A call through the API server's proxy, without a token") as self:
    with it("is a dry run, explained, and never an action"):
        door, reception = a_door()
        status, document = ask(door, x_forwarded_uri=PROXY)

        expect(status).to(equal(200))
        expect(document).to(have_keys(dry_run=True, status="would act", target="pod shop/web-0"))
        expect(document["explanation"]).to(contain("nothing was changed"))
        expect(reception.alerts).to(equal([]))

    with it("is told nothing that only the cluster knows"):
        _, document = ask(a_door()[0], x_forwarded_uri=PROXY)

        expect(json.dumps(document)).not_to(contain("node-1"))

    with it("is limited in rate"):
        door, reception = a_door()
        answers = [ask(door, x_forwarded_uri=PROXY)[0] for _ in range(10)]

        expect(set(answers)).to(equal({200, 429}))
        expect(len(reception.dry) <= 6).to(equal(True))

    with it("acts where it does have the token"):
        door, reception = a_door()
        post(door, x_forwarded_uri=PROXY)

        expect(len(reception.alerts)).to(equal(1))

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
        expect(ask(a_door(missing="NATS")[0], "GET", "/healthz")[0]).to(equal(200))

    with it("is whether alerts can be accepted, and what is missing"):
        expect(ask(a_door()[0], "GET", "/readyz")[0]).to(equal(200))
        status, document = ask(a_door(missing="no stream")[0], "GET", "/readyz")
        expect(status).to(equal(503))
        expect(document["error"]).to(contain("no stream"))

    with it("is the metrics"):
        status, document = ask(a_door()[0], "GET", "/metrics")

        expect(status).to(equal(200))
        expect(document).to(be_none)

    with it("is only read"):
        expect(ask(a_door()[0], "POST", "/metrics")[0]).to(equal(405))
