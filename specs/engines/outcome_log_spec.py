import io
import json
from unittest import mock

from expects import contain, equal, expect, have_len
from mamba import description, it

from playbooks.core.errors import Unexpected
from playbooks.core.outcome import Outcome
from playbooks.engines.outcome_log import record
from playbooks.engines.worker import log


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

        expect(stream.pieces).to(
            equal(['{"level": "warning", "message": "so it is", "topic": "falco.>"}\n'])
        )
