import io
import json
import time
from unittest import mock

from expects import be_within, contain, equal, expect, have_len
from mamba import description, it

from playbooks.core.errors import Unexpected
from playbooks.core.instant import Instant
from playbooks.core.outcome import Outcome
from playbooks.engines.outcome_log import record
from playbooks.engines.worker import log
from playbooks.testing import a_document


class Stream(io.StringIO):
    """Knows in which pieces it was written."""

    def __init__(self):
        super().__init__()
        self.pieces = []

    def write(self, text):
        self.pieces.append(text)
        return super().write(text)


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

        expect(stream.pieces[0]).to(contain("GET /a\\x1b[2J\\u202e"))
        expect(stream.getvalue()).not_to(contain("\x1b"))

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
