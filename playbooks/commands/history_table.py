"""The history as a table: a row each, and below it why."""

from __future__ import annotations

from typing import Any, List, Mapping, Sequence

from playbooks.commands.table import plain

COLUMNS = ("TIME", "WHAT", "TARGET", "REASON", "RULE", "UNDONE")

# Letters of one cell. What was cut stands in ``-o json``.
LONGEST = 60
NOTHING = "-"


def table(entries: Sequence[Mapping[str, Any]]) -> str:
    """Newest last. Times are those of the record; UNDONE has the time, and who did it."""
    rows = [[_cell(cell) for cell in _row(entry)] for entry in entries]
    widths = [max(map(len, column)) for column in zip(COLUMNS, *rows)]
    lines = [_line(COLUMNS, widths)]
    for row, entry in zip(rows, entries):
        lines.append(_line(row, widths))
        lines += [f"    {plain(why)}" for why in entry["why"] or (entry["message"],) if why]
    return "\n".join(lines) + "\n"


def _row(entry: Mapping[str, Any]) -> List[str]:
    times = f" ({entry['times']} times)" if entry["times"] > 1 else ""
    undone = entry["undone"]
    return [
        _second(entry["time"]),
        entry["what"] + times,
        entry["target"],
        entry["reason"],
        (entry["alert"] or {}).get("rule", ""),
        f"{_second(undone['time'])} by {undone['by'] or 'somebody'}" if undone else "",
    ]


def _second(time: str) -> str:
    return time.partition(".")[0].rstrip("Z") + "Z" if time else ""


def _cell(value: str) -> str:
    text = plain(value) if value else NOTHING
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths)).rstrip()
