import asyncio
import io
import json
from contextlib import redirect_stdout

from expects import be_empty, contain, equal, expect, have_len, start_with
from mamba import description, it

from playbooks.core import VERSION
from playbooks.engines.worker.operator import __main__ as program
from playbooks.engines.worker.operator import protocol

HERE = {"PLAYBOOK": "fake", "FUNCTION_NAME": "falco-fake", "FUNCTION_NAMESPACE": "specs"}
VERBS = (
    *(protocol.DEAD_LETTERS, protocol.REDELIVER, protocol.DROP),
    *(protocol.HISTORY, protocol.NOTE, protocol.INSPECT, protocol.ALERTS, protocol.STATE),
)


def answer(*words, **environ):
    """The exit code, and the lines."""
    with redirect_stdout(io.StringIO()) as out:
        code = asyncio.run(program.run(words, {**HERE, **environ}))
    return code, [json.loads(line) for line in out.getvalue().splitlines()]


with description("The program that runs in a worker's pod for an operator") as self:
    with it("names its protocol first, and ends with what went wrong"):
        for words in (("dance",), (), ("history",), ("alerts", "--seconds", "soon")):
            code, lines = answer(*words)

            expect(code).to(equal(1))
            expect(lines).to(have_len(2))
            expect(lines[0]).to(equal({"protocol": protocol.VERSION}))
            expect(lines[1]["error"]).to(start_with("this worker does not understand the request"))

    with it("names the verbs that it knows to who asks for another"):
        expect(answer("dance")[1][-1]["error"]).to(contain("invalid choice: 'dance'", *VERBS))

    with it("says which setting of the worker is wrong"):
        code, lines = answer("alerts", "--seconds", "5", NATS_URL="nonsense")

        expect(code).to(equal(1))
        expect(lines[-1]["error"]).to(contain("NATS_URL"))

    with it("says what it has seen before it could not go on"):
        code, lines = answer("inspect", NATS_URL="nats://127.0.0.1:1")

        expect(code).to(equal(0))
        expect([line.get("about") for line in lines]).to(equal([None, "nats", None]))
        expect(lines[1]["why"]).not_to(be_empty)
        expect(lines[-1]).to(equal({"end": 1}))

    with it("says of its state which version runs, also where NATS is away"):
        code, lines = answer("state", NATS_URL="nats://user:secret@127.0.0.1:1")

        expect(code).to(equal(0))
        expect(lines[1]["version"]).to(equal(VERSION))
        expect(lines[1]["why"]).not_to(be_empty)
        expect(json.dumps(lines)).not_to(contain("secret"))
