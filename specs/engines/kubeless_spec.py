import io
import json
import os
import pickle
from contextlib import redirect_stderr
from types import SimpleNamespace

from expects import be_a, be_none, contain, equal, expect, have_key, have_len
from mamba import after, before, description, it

from playbooks.core.errors import Conflict, InvalidAlert, InvalidSetting, NotPermitted, Unexpected
from playbooks.core.outcome import Outcome
from playbooks.core.playbook import Playbook
from playbooks.core.ports import Collaborators, Recorder
from playbooks.core.reaction import Reaction
from playbooks.core.settings import Setting, whole_number
from playbooks.engines import kubeless
from playbooks.testing import FakeOwnPod, FakeReaction, FixedClock, a_document, some_collaborators

DONE = Outcome.acted("pod shop/web-0", "done", "done")
CONTEXT = {"function-name": "handler", "timeout": 180.0, "runtime": "python3.8"}


class Declared(Reaction):
    SETTINGS = (Setting("ANSWER", whole_number(0, 9), "1", "An answer"),)

    def plan(self, alert):
        raise NotImplementedError


class Acting(Declared):
    TARGETS = "pods"


def a_handler(*answers):
    reaction = FakeReaction(*answers)
    playbook = Playbook(
        "fake",
        Declared,
        lambda settings, collaborators: reaction,
        lambda *_: Collaborators(FixedClock(), FakeOwnPod()),
        packages=(),
    )
    return kubeless.handler(playbook), reaction


class FakeRecorder(Recorder):
    def __init__(self):
        self.seen, self.error = [], None

    def record(self, alert, outcome):
        if self.error:
            raise self.error
        self.seen.append(outcome)


def a_recording_handler(*answers):
    recorder = FakeRecorder()
    collaborators = some_collaborators(recorders=(recorder,))
    playbook = Playbook(
        "fake",
        Acting,
        lambda settings, collaborators: FakeReaction(*answers),
        lambda *_: collaborators,
        packages=(),
    )
    return kubeless.handler(playbook), recorder


def an_event(data, **headers):
    return {"data": data, "event-id": "e1", "event-type": "application/json", **headers}


def call(handler, event):
    """What the handler returned or raised, and what it logged."""
    log = io.StringIO()
    with redirect_stderr(log):
        try:
            result = handler(event, CONTEXT)
        except Exception as error:
            result = error
    return result, log.getvalue()


with description("On Kubeless, a playbook") as self:
    with before.each:
        os.environ.pop("ANSWER", None)

    with after.each:
        os.environ.pop("ANSWER", None)

    with it("returns its outcome as a plain dict"):
        handler, _ = a_handler(DONE)
        result, _ = call(handler, an_event(a_document()))

        expect(result).to(equal({**DONE.to_dict(), "why": ["done"]}))
        expect(pickle.loads(pickle.dumps(result))).to(equal(result))

    with it("takes the data as dict, bytes and text"):
        handler, reaction = a_handler(DONE)
        text = json.dumps(a_document())
        for data in (a_document(), text, text.encode()):
            call(handler, an_event(data))

        expect(reaction.alerts).to(have_len(3))

    with it("keeps the trace that the request names, in its outcome and in its log"):
        handler, _ = a_handler(DONE)
        trace = "0af7651916cd43dd8448eb211c80319c"
        request = SimpleNamespace(headers={"Traceparent": f"00-{trace}-b7ad6b7169203331-01"})
        result, log = call(handler, an_event(a_document(), extensions={"request": request}))

        expect(result["trace_id"]).to(equal(trace))
        expect(json.loads(log)["trace_id"]).to(equal(trace))
        for extensions in ({}, None, {"request": None}, {"request": "of another kind"}):
            result, _ = call(handler, an_event(a_document(), extensions=extensions))
            expect(result).not_to(have_key("trace_id"))

    with it("raises what failed again, so that Kubeless counts it"):
        handler, _ = a_handler(NotPermitted("may not"))
        result, _ = call(handler, an_event(a_document()))

        expect(result).to(be_a(NotPermitted))
        expect(pickle.loads(pickle.dumps(result))).to(be_a(NotPermitted))

    with it("raises one of its own errors for a bug, which survives pickling"):
        handler, _ = a_handler(KeyError(lambda: None))
        result, _ = call(handler, an_event(a_document()))

        expect(pickle.loads(pickle.dumps(result))).to(be_a(Unexpected))

    with it("raises for what is no alert"):
        handler, _ = a_handler(DONE)
        for data in (None, b"", b"\xff", [], "{"):
            result, _ = call(handler, an_event(data))

            expect(result).to(be_a(InvalidAlert))

    with it("raises for an invalid setting"):
        os.environ["ANSWER"] = "42"
        handler, _ = a_handler(DONE)
        result, _ = call(handler, an_event(a_document()))

        expect(result).to(be_a(InvalidSetting))

    with description("its recorders"):
        with it("hear of the final outcome, once, however often it was tried"):
            handler, recorder = a_recording_handler(Conflict("somebody was faster"), DONE)
            call(handler, an_event(a_document()))

            expect([outcome.status for outcome in recorder.seen]).to(equal([DONE.status]))

        with it("hear of what failed"):
            handler, recorder = a_recording_handler(NotPermitted("may not"))
            call(handler, an_event(a_document()))

            expect([outcome.reason for outcome in recorder.seen]).to(equal(["not-permitted"]))

        with it("change nothing where they fail themselves, and have a line in the log"):
            handler, recorder = a_recording_handler(DONE)
            recorder.error = NotPermitted("may not create events")
            result, log = call(handler, an_event(a_document()))

            expect(result["status"]).to(equal("acted"))
            expect(json.loads(log.splitlines()[-1])["message"]).to(
                contain("FakeRecorder: may not create events")
            )

    with description("its log"):
        with it("has one JSON line an outcome, which names the alert"):
            handler, _ = a_handler(DONE)
            _, log = call(handler, an_event(a_document(uuid="u1")))
            line = json.loads(log)

            expect(line["playbook"]).to(equal("fake"))
            expect(line["event_id"]).to(equal("e1"))
            expect(line["status"]).to(equal("acted"))
            expect(line["alert"]).to(
                equal(
                    {
                        "rule": "Terminal shell in container",
                        "priority": "Notice",
                        "time": "2026-01-02T03:00:00.000000000Z",
                        "source": "syscall",
                        "hostname": "node-1",
                        "uuid": "u1",
                    }
                )
            )

        with it("has a traceback for an error of the code, down to its cause, in its one line"):
            handler, _ = a_handler(KeyError("the bug"))
            _, log = call(handler, an_event(a_document()))

            line = json.loads(log)
            expect(line["traceback"]).to(contain("Traceback (most recent call last)"))
            expect(line["traceback"]).to(contain("KeyError: 'the bug'"))
            expect(line["reason"]).to(equal("unexpected"))

        with it("has nothing that must not leave, in a traceback neither"):
            handler, _ = a_handler(KeyError("mysql -pS3cret"))
            _, log = call(handler, an_event(a_document()))

            expect(log).to(contain("Traceback", "mysql -p***"))
            expect(log).not_to(contain("S3cret"))

        with it("says that there was no alert where there was none"):
            handler, _ = a_handler(DONE)
            _, log = call(handler, an_event(b"nonsense"))

            expect(json.loads(log.splitlines()[-1])["alert"]).to(be_none)

        with it("says what can be read of a message that is no alert"):
            handler, _ = a_handler(DONE)
            _, log = call(handler, an_event(a_document(time="yesterday", hostname=7)))
            line = json.loads(log.splitlines()[-1])

            expect((line["reason"], line["alert"])).to(
                equal(
                    (
                        "invalid-alert",
                        {
                            "rule": "Terminal shell in container",
                            "priority": "Notice",
                            "time": "yesterday",
                            "source": "syscall",
                        },
                    )
                )
            )
