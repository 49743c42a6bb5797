"""Dead letters as a table: a row each, and below it why it was given up."""

from __future__ import annotations

from typing import Any, List, Mapping, Sequence

COLUMNS = ("TIME", "RULE", "PRIORITY", "TARGET", "REASON", "DELIVERIES", "ID")

# Letters of one cell. What was cut stands in ``-o json``.
LONGEST = 60
NOTHING = "-"


def table(letters: Sequence[Mapping[str, Any]]) -> str:
    """Times are the alert's; of what is no alert, when NATS got it."""
    rows = [[_cell(cell) for cell in _row(letter)] for letter in letters]
    widths = [max(map(len, column)) for column in zip(COLUMNS, *rows)]
    lines = [_line(COLUMNS, widths)]
    for row, letter in zip(rows, letters):
        lines.append(_line(row, widths))
        lines += [f"    {plain(why)}" for why in _whys(letter)]
    return "\n".join(lines) + "\n"


def plain(text: str) -> str:
    """Whoever publishes alerts writes them: nothing of it may speak to a terminal."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _row(letter: Mapping[str, Any]) -> List[Any]:
    time = _second(letter["time"] or letter["stored"] or letter["given_up"])
    named = [letter[key] for key in ("rule", "priority", "target", "reason")]
    return [time, *named, letter["deliveries"], letter["id"]]


def _whys(letter: Mapping[str, Any]) -> List[str]:
    whys = [letter["message"]] if letter["message"] else []
    if letter["cut"]:
        whys.append(f"its {letter['cut']} did not fit and were cut: it cannot be put back")
    if not letter["own"]:
        whys.append(
            "of an earlier Function of this name, or of another cluster's: put back only if named"
        )
    return whys


def _second(time: str) -> str:
    """Without fractions, which matter to machines only."""
    return time.partition(".")[0].rstrip("Z") + "Z"


def _cell(value: Any) -> str:
    text = NOTHING if value in (None, "") else plain(str(value))
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths)).rstrip()
