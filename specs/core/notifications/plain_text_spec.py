import sys
import unicodedata

from expects import be_true, equal, expect
from mamba import description, it

from playbooks.core.notifications.plain_text import plain, plain_lines

# What an attacker writes, and what people see of it.
SEEN = {
    "\x1b[2J\x1b]0;title\x07": "\\x1b[2J\\x1b]0;title\\x07",
    "\x9b31m": "\\x9b31m",
    "a\nb\r\tc\x00": "a\\nb\\r\\tc\\x00",
    "web\u202egpj.exe\u2066": "web\\u202egpj.exe\\u2066",
    "ro\u200bot\u2060\ufeff": "ro\\u200bot\\u2060\\ufeff",
    "\u3164\u115f\U000e0041\u2028": "\\u3164\\u115f\\U000e0041\\u2028",
    "/tmp/x\ud83dy": "/tmp/x\\ud83dy",
}

LEFT = (
    "Terminal shell in container",
    "R\u00fcde Regel: \u65e5\u672c \U0001f6a8 \u26a0\ufe0f",
    "C:\\x",
)


with description("Plain text") as self:
    with it("escapes what would speak to a terminal, turn text around, or not be seen"):
        for text, seen in SEEN.items():
            expect(plain(text)).to(equal(seen))

    with it("leaves everything else"):
        for text in LEFT:
            expect(plain(text)).to(equal(text))

    with it("is the same when it is done twice"):
        for seen in SEEN.values():
            expect(plain(seen)).to(equal(seen))

    with it("escapes every control, format and surrogate character that there is"):
        every = map(chr, range(sys.maxunicode + 1))
        unseen = "".join(c for c in every if unicodedata.category(c) in ("Cc", "Cf", "Cs"))

        expect(plain(unseen).isascii()).to(be_true)
        expect(plain(unseen).isprintable()).to(be_true)

    with it("keeps the lines of a text of ours"):
        expect(plain_lines("Traceback\n  a\x1b[2J\r\n")).to(equal("Traceback\n  a\\x1b[2J\\r\n"))
