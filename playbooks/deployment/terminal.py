"""What programs print: results on standard output, problems and remarks on standard error.

Both programs write through it. Tables have styles and fit the window where standard output is a
terminal; elsewhere, or with NO_COLOR set, they are plain text of whatever width.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, Iterable, List, Sequence, Tuple

import click
import yaml

from playbooks.core.cluster.manifest import Manifest
from playbooks.core.notifications.plain_text import plain

# Characters of one cell of a plain table.
LONGEST = 60

# Columns of what other commands take: a name that is cut names nothing. Characters of the longest,
# with its kind and its namespace.
NAMES = ("NAMESPACE", "NAME", "OBJECT", "TARGET")
LONGEST_NAME = 400

# Characters that a cell keeps where the window is too narrow for the table.
SHORTEST = 20

# In a cell that is empty.
NOTHING = "-"

# Cells, and notes that stand on lines of their own below them.
Row = Tuple[Sequence[object], Sequence[str]]


def print_step(verb: str, shown: str) -> None:
    """What was done to what, such as "created" and "Function shop/falco-delete". Who reads it may
    go before the end: what is being done is done all the same."""
    try:
        print(plain(f"{verb:<10}{shown}"), flush=True)
    except BrokenPipeError:
        discard_output()


def discard_output() -> None:
    """The reader of standard output, such as ``head``, has closed it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_messages(kind: str, lines: Iterable[str], *, program: str = "deploy_playbook") -> None:
    """On standard error. ``kind``: error, warning, or empty for a plain remark."""
    prefix = f"{program}: {kind}: " if kind else f"{program}: "
    for line in lines:
        print(f"{prefix}{plain(line)}", file=sys.stderr, flush=True)


def one_line(text: object) -> str:
    """Without line ends, as a row of a table or a list has it."""
    return " ".join(str(text).split())


def without_fraction(time: str) -> str:
    """An RFC 3339 time in UTC, to the second; empty stays empty."""
    return time.partition(".")[0].rstrip("Z") + "Z" if time else ""


def confirmed(changes: Sequence[str]) -> bool:
    """Print the changes, such as ``NAMESPACES: was shop, now not set``, and ask."""
    print_messages("change", changes)
    return click.confirm("Continue?", default=False, err=True)


def print_json(document: object) -> None:
    """What ``-o json`` prints."""
    print(json.dumps(document, indent=2), flush=True)


def styled() -> bool:
    """Whether standard output is a terminal that takes styles. See https://no-color.org."""
    wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return wanted and sys.stdout.isatty()


def show_table(columns: Sequence[str], rows: Sequence[Row]) -> None:
    """A table on standard output."""
    if styled():
        _show_styled(columns, rows)
    else:
        print(table(columns, rows), end="")


def table(columns: Sequence[str], rows: Sequence[Row]) -> str:
    """A table as plain text."""
    most = [max(LONGEST, _longest(column)) for column in columns]
    cells = [[*map(_cell, values, most)] for values, _ in rows]
    widths = [max(map(len, column)) for column in zip(columns, *cells)]
    lines = [_line(columns, widths)]
    for row, (_, notes) in zip(cells, rows):
        lines.append(_line(row, widths))
        lines += [f"    {plain(note)}" for note in notes]
    return "\n".join(lines) + "\n"


def _longest(column: str) -> int:
    """Characters that a cell of this column keeps in any window."""
    return LONGEST_NAME if column in NAMES else SHORTEST


def _cell(value: object, longest: int) -> str:
    text = NOTHING if value in (None, "") else plain(str(value))
    return text if len(text) <= longest else text[: longest - 3] + "..."


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths)).rstrip()


def _show_styled(columns: Sequence[str], rows: Sequence[Row]) -> None:
    # Only here: a plain table needs no rich.
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    console = Console(highlight=False)
    # As Text: an alert's words are no markup.
    head = [Text(column, style="bold") for column in columns]
    cells = [[Text(_cell(value, sys.maxsize)) for value in values] for values, _ in rows]
    widths = [max(cell.cell_len for cell in c) for c in zip(head, *cells)]
    widths = _fitting(widths, [*map(_longest, columns)], console.width)
    for line in (head, *cells):
        for cell, width in zip(line, widths):
            cell.truncate(width, overflow="ellipsis", pad=True)
    console.print(Text("  ").join(head), soft_wrap=True)
    for line, (_, notes) in zip(cells, rows):
        console.print(Text("  ").join(line), soft_wrap=True)
        for note in notes:
            console.print(Padding(Text(plain(note), style="dim"), (0, 0, 0, 4), expand=False))


def _fitting(widths: Sequence[int], least: Sequence[int], most: int) -> List[int]:
    """Takes from the widest columns, down to ``least``. The window wraps what is still too wide."""
    fitting = list(widths)
    while sum(fitting) + 2 * (len(fitting) - 1) > most:
        wide = [place for place, width in enumerate(fitting) if width > least[place]]
        if not wide:
            break
        fitting[max(wide, key=fitting.__getitem__)] -= 1
    return fitting


# The one in C, where PyYAML has it: a Function holds an archive of a hundred kilobytes.
_Fastest: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Dumper(_Fastest):  # type: ignore[misc]
    """Long text stays on its line, lines stay lines, and nothing is an alias of anything."""

    def ignore_aliases(self, _: object) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    """Quoted, unless it begins like a word: YAML of another version may take it for a number."""
    style = None if text[:1].isalpha() or text[:1] == "/" else '"'
    style = "|" if "\n" in text else style
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def documents(manifests: Sequence[Manifest], *, sort_keys: bool = True) -> str:
    """Objects as the YAML that ``-d`` prints and ``kubectl apply -f -`` takes. ``sort_keys``: else
    keys stay in their order."""
    return "---\n".join(
        yaml.dump(
            manifest,
            Dumper=_Dumper,
            default_flow_style=False,
            allow_unicode=True,
            sort_keys=sort_keys,
            width=2**31 - 1,
        )
        for manifest in manifests
    )
