"""Text that strangers write, as people may see it.

An attacker names files, arguments and pods, and whoever publishes alerts writes all of them. What
he writes must not speak to a terminal (ESC and the other control characters of C0 and C1), turn
text around (bidirectional controls), hide in it (characters of no width), or begin a line of its
own.
"""

from __future__ import annotations

# Letters and marks of Unicode that are not seen, beside the controls and formats that Python knows
# as not printable. Source: Default_Ignorable_Code_Point of
# https://www.unicode.org/Public/UCD/latest/ucd/DerivedCoreProperties.txt, and the empty Braille
# pattern. The two that choose how an emoji looks (FE0E, FE0F) are left.
_UNSEEN = frozenset(
    chr(code)
    for first, last in (
        *((0x034F, 0x034F), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F)),
        *((0x2800, 0x2800), (0x3164, 0x3164), (0xFE00, 0xFE0D), (0xFFA0, 0xFFA0)),
        (0xE0100, 0xE01EF),
    )
    for code in range(first, last + 1)
)


def plain(text: str) -> str:
    """One line, in which each such character is escaped as in Python: ``\\x1b``, ``\\u202e``.

    Always valid UTF-8. Doing it again changes nothing.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c.isprintable() and c not in _UNSEEN else ascii(c)[1:-1] for c in text)


def plain_lines(text: str) -> str:
    """The same for text of ours that has lines, such as a traceback."""
    return "\n".join(map(plain, text.split("\n")))
