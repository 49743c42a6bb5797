"""The summary of a simulation for a terminal."""

from __future__ import annotations

from typing import Iterable, Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from playbooks.core.notifications.plain_text import plain
from playbooks.simulation.summary import Summary

# Rows of the longest table; the other outputs have all of them.
MOST_ROWS = 30


def show(summary: Summary, console: Console) -> None:
    found = summary
    console.print(
        f"{found.playbook} on {', '.join(found.topics)}: {found.alerts} alerts from {found.first}"
        f" to {found.last}; {found.elsewhere} match no topic, {found.unreadable} are no alerts",
        highlight=False,
    )
    console.print(
        f"would have acted {found.acted} times, held {found.held}, skipped {found.skipped},"
        f" failed {found.failed}\n",
        highlight=False,
    )
    for table in _tables(found):
        console.print(table)
    left = len(found.rows) - MOST_ROWS
    if left > 0:
        console.print(f"({left} more rows: --output json or html has all)")


def _tables(found: Summary) -> Iterator[Table]:
    rows = (
        (r.rule, r.namespace, r.workload, r.acted, _reasons(r.skipped), r.failed)
        for r in found.rows[:MOST_ROWS]
    )
    named = ("Rule", "Namespace", "Workload", "Acted", "Skipped", "Failed")
    yield _table("What would have happened", named, rows)
    peaks = ((p.namespace, p.wanted, _cap(p.cap), p.at) for p in found.peaks[:MOST_ROWS])
    yield _table("The most within a window", ("Namespace", "Wanted", "Cap", "From"), peaks)
    if found.tripped:
        tripped = ((t.namespace, t.at, t.held) for t in found.tripped)
        yield _table("Budgets that would have tripped", ("Namespace", "At", "Held"), tripped)
    yield _table("The most affected workloads", ("Workload", "Actions"), found.workloads)
    stricter = ((w.setting, w.value, w.acted, w.held, w.tripped) for w in found.what_if)
    heads = ("Setting", "Value", "Acted", "Held", "Tripped")
    yield _table("What something stricter would have changed", heads, stricter)


def _table(title: str, heads: Iterable[str], rows: Iterable[Iterable[object]]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in rows:
        # An alert's words are no markup.
        table.add_row(*(Text(plain(str(cell))) for cell in row))
    return table


def _reasons(skipped: object) -> str:
    assert isinstance(skipped, dict)
    return ", ".join(f"{reason} {number}" for reason, number in skipped.items())


def _cap(cap: object) -> str:
    return "off" if cap is None else str(cap)
