import io
import json
from unittest import mock

from expects import equal, expect, have_len
from mamba import description, it

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

    with it("is written in one piece when it is anything else"):
        stream = Stream()
        with mock.patch("sys.stderr", stream):
            log.warn("so it is", topic="falco.>")

        expect(stream.pieces).to(
            equal(['{"level": "warning", "message": "so it is", "topic": "falco.>"}\n'])
        )
