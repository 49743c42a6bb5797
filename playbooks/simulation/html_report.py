"""The summary of a simulation as a page that stands alone."""

from __future__ import annotations

import html
from typing import Iterable, List, Sequence

from playbooks.core.notifications.plain_text import plain
from playbooks.simulation.summary import Bar, Summary

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }
table { border-collapse: collapse; margin: 0.5rem 0 2rem; }
th, td { border-bottom: 1px solid #ddd; padding: 0.2rem 0.8rem 0.2rem 0; text-align: left; }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
.acted { fill: #c0392b; } .held { fill: #e8a33d; } .skipped { fill: #b8c4cc; }
.key span { display: inline-block; width: 0.8em; height: 0.8em; margin: 0 0.3em 0 1em; }
"""

# The timeline, in units of its own.
_WIDTH, _HEIGHT = 1000, 160


def page(found: Summary) -> str:
    title = f"What {found.playbook} would have done"
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>",
            f"<h1>{escape(title)}</h1>",
            f"<p>{found.alerts} alerts on {escape(', '.join(found.topics))}, from"
            f" {escape(found.first)} to {escape(found.last)}; {found.elsewhere} match no topic,"
            f" {found.unreadable} are no alerts.</p>",
            f"<p><b>{found.acted}</b> acted, <b>{found.held}</b> held by a cap,"
            f" <b>{found.skipped}</b> skipped, <b>{found.failed}</b> failed.</p>",
            *_timeline(found.timeline),
            *_sections(found),
            "</body></html>\n",
        ]
    )


def escape(text: str) -> str:
    return html.escape(plain(text))


def _sections(found: Summary) -> List[str]:
    rows = [
        (r.rule, r.namespace, r.workload, r.acted, _reasons(r.skipped), r.failed)
        for r in found.rows
    ]
    peaks = [(p.namespace, p.wanted, "off" if p.cap is None else p.cap, p.at) for p in found.peaks]
    what_if = [(w.setting, w.value, w.acted, w.held, w.tripped) for w in found.what_if]
    return [
        *_table("The most within a window", ("Namespace", "Wanted", "Cap", "From"), peaks),
        *_table(
            "Budgets that would have tripped",
            ("Namespace", "At", "Held"),
            [(t.namespace, t.at, t.held) for t in found.tripped],
        ),
        *_table("The most affected workloads", ("Workload", "Actions"), found.workloads),
        *_table(
            "What something stricter would have changed",
            ("Setting", "Value", "Acted", "Held", "Tripped"),
            what_if,
        ),
        *_table(
            "Every rule and workload",
            ("Rule", "Namespace", "Workload", "Acted", "Skipped", "Failed"),
            rows,
        ),
    ]


def _table(title: str, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> List[str]:
    lines = [_row(row) for row in rows]
    if not lines:
        return []
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    return [f"<h2>{escape(title)}</h2>", f"<table><tr>{head}</tr>", *lines, "</table>"]


def _row(cells: Sequence[object]) -> str:
    return "<tr>" + "".join(map(_cell, cells)) + "</tr>"


def _cell(value: object) -> str:
    kind = ' class="n"' if isinstance(value, int) else ""
    return f"<td{kind}>{escape(str(value))}</td>"


def _reasons(skipped: object) -> str:
    assert isinstance(skipped, dict)
    return ", ".join(f"{reason} {number}" for reason, number in skipped.items())


def _timeline(bars: Sequence[Bar]) -> List[str]:
    if not bars:
        return []
    most = max(bar.acted + bar.held + bar.skipped for bar in bars)
    width = _WIDTH / len(bars)
    drawn = [part for n, bar in enumerate(bars) for part in _bar(bar, n * width, width, most)]
    key = "".join(
        f'<span style="background:{colour}"></span>{name}'
        for name, colour in (("acted", "#c0392b"), ("held", "#e8a33d"), ("skipped", "#b8c4cc"))
    )
    return [
        "<h2>When</h2>",
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" width="100%">',
        *drawn,
        "</svg>",
        f'<p class="key">{key}; the highest bar is {most} alerts</p>',
    ]


def _bar(bar: Bar, left: float, width: float, most: int) -> List[str]:
    drawn, top = [], float(_HEIGHT)
    for kind, number in (("acted", bar.acted), ("held", bar.held), ("skipped", bar.skipped)):
        if number:
            height = max(1.0, number / most * _HEIGHT)
            top -= height
            said = escape(f"{bar.start}: {number} {kind}")
            drawn.append(
                f'<rect class="{kind}" x="{left:.1f}" y="{top:.1f}" width="{width * 0.9:.1f}"'
                f' height="{height:.1f}"><title>{said}</title></rect>'
            )
    return drawn
