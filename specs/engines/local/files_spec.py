import io
import os
import sys
import tempfile
from pathlib import Path

from expects import contain, equal, expect
from mamba import after, before, description, it

from playbooks.engines.local import CannotStart
from playbooks.engines.local.files import check, lines


class Input:
    def __init__(self, content):
        self.buffer = io.BytesIO(content)


with description("Alerts of files") as self:
    with before.each:
        self.directory = tempfile.TemporaryDirectory()
        self.stdin = sys.stdin

    with after.each:
        sys.stdin = self.stdin
        self.directory.cleanup()

    def a_file(self, name, content):
        path = Path(self.directory.name) / name
        path.write_bytes(content)
        return str(path)

    with it("are its lines that are not blank, with where they stand"):
        file = self.a_file("a.jsonl", b'{"a": 1}\r\n\n  \nnonsense')

        expect(list(lines([file]))).to(
            equal([(b'{"a": 1}', "a.jsonl:1"), (b"nonsense", "a.jsonl:4")])
        )

    with it("are those of several, in order"):
        files = [self.a_file("b", b"1\n"), self.a_file("a", b"2\n")]

        expect([body for body, _ in lines(files)]).to(equal([b"1", b"2"]))

    with it("come from standard input for -"):
        sys.stdin = Input(b"1\n2\n")

        expect(list(lines(["-"]))).to(
            equal([(b"1", "standard input:1"), (b"2", "standard input:2")])
        )

    with it("may come by a pipe, which can be read only once"):
        pipe = self.directory.name + "/pipe"
        os.mkfifo(pipe)

        expect(check([pipe])).to(equal(None))

    with it("are refused beforehand where a file cannot be read"):
        for name in ("none", '{"rule": "an alert, and no file"}' * 30):
            try:
                check([f"{self.directory.name}/{name}"])
                said = ""
            except CannotStart as error:
                said = str(error)

            expect(said).to(contain(f"{name} cannot be read: there is no such file"))
