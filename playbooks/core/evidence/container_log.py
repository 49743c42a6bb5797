"""What was read of a container's log."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Callable, Deque, Iterable

# Lines asked for at most: a kubelet counts lines from the end, and bytes from the beginning.
MOST_LINES = 50_000


@dataclass(frozen=True)
class Log:
    """``cut``: what is left out of it, in words; empty where it is whole.

    ``beginning``: whether its beginning is there.
    """

    content: bytes
    cut: str = ""
    beginning: bool = True

    @classmethod
    def end_of(
        cls, parts: Iterable[bytes], *, most: int, in_time: Callable[[], bool] = lambda: True
    ) -> Log:
        """The last whole lines that fit into ``most`` bytes, without ever holding much more.

        ``parts``: at most the last MOST_LINES lines. What comes when it is no longer ``in_time``
        is left.
        """
        held: Deque[bytes] = deque()
        size = read = lines = 0
        late = False
        for part in parts:
            held.append(part)
            size, read, lines = size + len(part), read + len(part), lines + part.count(b"\n")
            while size - len(held[0]) > most:
                size -= len(held.popleft())
            if not in_time():
                late = True
                break
        content = last_lines(b"".join(held), most)
        gone = read - len(content)
        cuts = []
        if lines >= MOST_LINES:
            cuts.append(f"only the last {MOST_LINES} lines were read")
        if gone:
            cuts.append(f"the first {gone} bytes that were read are left out")
        if late:
            cuts.append("reading took too long, the newest lines are missing")
        return cls(content, "; ".join(cuts), beginning=not gone and lines < MOST_LINES)


def last_lines(content: bytes, most: int) -> bytes:
    """The end of it, from the beginning of a line on: half a password is none to a pattern."""
    if len(content) <= most:
        return content
    _, _, whole = content[-most:].partition(b"\n")
    return whole
