import io
import json
import time
from dataclasses import replace
from unittest import mock

from expects import be_below, be_within, contain, equal, expect, have_len
from mamba import description, it

from playbooks.core.errors import ClusterUnavailable, GuardUnanswered, NotPermitted, Unexpected
from playbooks.core.instant import Instant
from playbooks.core.outcome import Outcome, TargetRef
from playbooks.engines import log
from playbooks.engines.log import LONGEST_HALF, traceback_of
from playbooks.engines.outcome_log import record
from playbooks.testing import a_document

STALE = Outcome.skipped("stale-alert", "25m old", held=True)


class Stream(io.StringIO):
    """Knows in which pieces it was written."""

    def __init__(self):
        super().__init__()
        self.pieces = []

    def write(self, text):
        self.pieces.append(text)
        return super().write(text)


def raised(error):
    """With a traceback."""
    try:
        raise error
    except Exception as caught:
        return caught


with description("A line of the log") as self:
    with it("is written in one piece when it is an outcome, so that threads do not mix theirs"):
        stream = Stream()
        record("delete", b"nonsense", Outcome.skipped("x", "y"), stream=stream)

        expect(stream.pieces).to(have_len(1))
        expect(stream.pieces[0][-1]).to(equal("\n"))
        expect(json.loads(stream.pieces[0])["playbook"]).to(equal("delete"))

    with it("lets no error in a traceback speak to a terminal"):
        stream = Stream()
        failed = Outcome.failed(Unexpected("GET /a\x1b[2J\u202e"))
        record("delete", b"nonsense", failed, stream=stream)

        said = json.loads(stream.getvalue())["traceback"]
        expect(said).to(contain("GET /a\\x1b[2J\\u202e"))
        expect(said).not_to(contain("\x1b"))
        expect(stream.getvalue()).not_to(contain("\x1b"))

    with it("has no traceback of an answer that says itself why, such as the API server's"):
        stream = Stream()
        for error in (NotPermitted("DELETE /a: no (403)"), ClusterUnavailable("no answer")):
            record("delete", a_document(), Outcome.failed(raised(error)), stream=stream)
        lines = [json.loads(piece) for piece in stream.pieces]

        expect([line["reason"] for line in lines]).to(
            equal(["not-permitted", "cluster-unavailable"])
        )
        expect([line for line in lines if "traceback" in line]).to(equal([]))

    with it("has the traceback of a guard that broke, and none of one that had no answer"):
        lines = []
        for cause in (KeyError("the bug"), ClusterUnavailable("no answer")):
            stream, error = Stream(), GuardUnanswered("guard A cannot decide")
            error.__cause__ = raised(cause)
            record("delete", a_document(), Outcome.failed(error), stream=stream)
            lines.append(json.loads(stream.getvalue()))

        expect(lines[0]["traceback"]).to(contain("in raised", "KeyError: 'the bug'"))
        expect("traceback" in lines[1]).to(equal(False))

    with it("has beginning and end of a traceback that is too long, whoever made it so"):
        error = raised(KeyError("x" * 100_000 + "the end"))
        said = traceback_of(error)

        expect(len(said)).to(be_below(2 * LONGEST_HALF + 20))
        expect(said).to(contain("Traceback", "in raised", "the end"))

    with it("names the alert in few words, whatever is long in it"):
        stream = Stream()
        long = dict.fromkeys(("hostname", "uuid", "source"), "x" * 100_000)
        record("delete", a_document(**long), STALE, event_id="x" * 100_000, stream=stream)

        expect(len(stream.getvalue())).to(be_below(5000))

    with it("reads nothing of what is long and no alert: who sends it would keep the worker busy"):
        short, long = Stream(), Stream()
        body = json.dumps({**a_document(), "time": "never"})
        record("delete", body.encode(), STALE, stream=short)
        record("delete", body.ljust(20_000).encode(), STALE, stream=long)

        expect(json.loads(short.getvalue())["alert"]["priority"]).to(equal("Notice"))
        expect(json.loads(long.getvalue())["alert"]).to(equal(None))

    with it("has what the alert claims where no target is proven, as stale alerts"):
        stream = Stream()
        fields = {"k8s.ns.name": "shop", "k8s.pod.name": "web-1", "container.id": "1376fe875695"}
        record("delete", a_document(output_fields=fields), STALE, stream=stream)
        line = json.loads(stream.getvalue())

        expect(line["target"]).to(equal(""))
        expect(line["claimed"]).to(
            equal(
                {
                    "namespace": "shop",
                    "pod": "web-1",
                    "container_id": "1376fe875695",
                    "node": "node-1",
                }
            )
        )

    with it("has nothing claimed where the target is proven, or nothing is pointed at"):
        proven = replace(STALE, target_ref=TargetRef("delete", "Pod", "a", "b", "uid"))
        for outcome, body in ((proven, a_document()), (STALE, a_document(output_fields={}))):
            stream = Stream()
            record("delete", body, outcome, stream=stream)

            expect("claimed" in json.loads(stream.getvalue())).to(equal(False))

    with it("shows of a claim names alone, whoever wrote it: no escape, no flood, no secret"):
        for pod in ("web\x1b[2J", "a" * 254, "a/b", '{"x": 1}', "web\u202e", 7, ["web"]):
            stream = Stream()
            fields = {"k8s.ns.name": "shop", "k8s.pod.name": pod, "container.id": "1376fe875695"}
            record("delete", a_document(output_fields=fields), STALE, stream=stream)

            expect((pod, json.loads(stream.getvalue())["claimed"].get("pod"))).to(
                equal((pod, None))
            )
        stream = Stream()
        token = "AKIAIOSFODNN7EXAMPLE"
        fields = {"k8s.ns.name": "shop", "k8s.pod.name": token, "container.id": "1376fe875695"}
        record("delete", a_document(output_fields=fields), STALE, stream=stream)

        expect(stream.getvalue()).not_to(contain(token))

    with it("is written in one piece when it is anything else"):
        stream = Stream()
        with mock.patch("sys.stderr", stream):
            log.warn("so it is", topic="falco.>")

        expect(stream.pieces).to(have_len(1))
        line = json.loads(stream.pieces[0])
        expect(Instant.parse(line.pop("time")).seconds).to(
            be_within(time.time() - 60, time.time() + 60)
        )
        expect(line).to(equal({"level": "warning", "message": "so it is", "topic": "falco.>"}))

    with it("says when an outcome was written, beside when the alert was"):
        stream = Stream()
        record("delete", a_document(), Outcome.skipped("x", "y"), stream=stream)
        line = json.loads(stream.pieces[0])

        expect(next(iter(line))).to(equal("time"))
        expect(Instant.parse(line["time"]) > Instant.parse(line["alert"]["time"])).to(equal(True))
