"""The summary of a simulation for people: on a terminal, and as a page that stands alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from playbooks.core.notifications.plain_text import plain
from playbooks.simulation.summary import Bar, Summary

# Rows of the longest table on a terminal; the other outputs have all of them.
MOST_ROWS = 30

TEMPLATE = Path(__file__).with_name("report.html.jinja")

# Width and height of the timeline, in units of its own.
_WIDTH, _HEIGHT = 1000, 160

# Marks of the axis of time.
_MOMENTS = 6


class Section(NamedTuple):
    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[object]]


def show(found: Summary, console: Console) -> None:
    for line in (f"{found.playbook} on {', '.join(found.topics)}: {read(found)}", *basis(found)):
        console.print(Text(plain(line)), soft_wrap=True)
    if not found.alerts:
        return
    console.print(
        f"would have acted {_counted(found.acted, 'time')}{_accepted(found)}, held {found.held}"
        f"{_waits(found)}, skipped {found.skipped}, failed {found.failed}",
        highlight=False,
    )
    console.print()
    for section in _sections(found):
        console.print(_table(section))
    left = len(found.rows) - MOST_ROWS
    if left > 0:
        console.print(f"({left} more rows: --output json or html has all)")


def read(found: Summary) -> str:
    """Which alerts there were, and what is none of them."""
    which = f"{_counted(found.alerts, 'alert')} from {found.first} to {found.last}"
    others = f"{found.elsewhere} more match no topic, {_counted(found.unreadable, 'line')}"
    said = f"{which if found.alerts else 'no alerts'}; {others} without an alert"
    wanted = "; an alert is JSON with rule, priority and time, as Falco writes it, one a line"
    return said + wanted * bool(found.unreadable)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" + "s" * (number != 1)


def _accepted(found: Summary) -> str:
    """A deletion that is accepted is done when the pod is gone, which no simulation shows."""
    return f" ({found.accepted} are deletions, done when the pod is gone)" * bool(found.accepted)


def _waits(found: Summary) -> str:
    return f" ({found.waits} until the window of a limit allows it)" if found.waits else ""


def basis(found: Summary) -> Iterator[str]:
    """With which settings it ran, and what it did not go by."""
    chosen = ", ".join(f"{name}={text}" for name, text in sorted(found.settings.items()))
    source = f" ({found.source})" if found.source else ""
    yield f"settings: {chosen or 'the defaults'}{source}"
    if found.left_out:
        yield f"left out: {'; '.join(found.left_out)}"


def page(found: Summary) -> str:
    """HTML that loads nothing from anywhere."""
    import jinja2  # only here: it takes time to import

    environment = jinja2.Environment(
        autoescape=True,
        finalize=_finalized,
        keep_trailing_newline=True,
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        found=found,
        read=read(found),
        sections=list(_sections(found)),
        basis=list(basis(found)),
        width=_WIDTH,
        height=_HEIGHT,
        parts=_parts(found.timeline),
        levels=_levels(found.timeline),
        moments=_moments(found.timeline),
    )


def _finalized(value: Any) -> Any:
    """What an alert says cannot break a line, or turn its direction."""
    return plain(value) if isinstance(value, str) else value


def _sections(found: Summary) -> Iterator[Section]:
    """Those without a row are left out."""
    sections = (
        Section(
            "What would have happened",
            ("Rule", "Namespace", "Workload", "Acted", "Skipped", "Failed"),
            [
                (r.rule, r.namespace, r.workload, r.acted, _reasons(r.skipped), r.failed)
                for r in found.rows
            ],
        ),
        Section("What failed", ("Why", "Alerts"), found.failures),
        Section(
            "The most within a window",
            ("Namespace", "Wanted", "Cap", "From"),
            [(p.namespace, p.wanted, "off" if p.cap is None else p.cap, p.at) for p in found.peaks],
        ),
        Section(
            "Budgets that would have tripped",
            ("Namespace", "At", "Held"),
            [(t.namespace, t.at, t.held) for t in found.tripped],
        ),
        Section("The most affected workloads", ("Workload", "Actions"), found.workloads),
        Section(
            "What something stricter would have changed",
            ("Setting", "Value", "Acted", "Held", "Tripped"),
            [(w.setting, w.value, w.acted, w.held, w.tripped) for w in found.what_if],
        ),
    )
    return (section for section in sections if section.rows)


def _table(section: Section) -> Table:
    table = Table(title=section.title, title_justify="left", title_style="bold")
    for head in section.heads:
        table.add_column(head, overflow="fold")
    for row in section.rows[:MOST_ROWS]:
        # An alert's words are no markup.
        table.add_row(*(Text(plain(str(cell))) for cell in row))
    return table


def _reasons(skipped: Mapping[str, int]) -> str:
    return ", ".join(f"{reason} {number}" for reason, number in skipped.items())


def _most(bars: Sequence[Bar]) -> int:
    """Alerts of the highest bar."""
    return max((bar.acted + bar.held + bar.skipped for bar in bars), default=0)


def _levels(bars: Sequence[Bar]) -> List[Dict[str, Any]]:
    """The marks of the axis of alerts, from 0 to the highest bar: ``y`` and ``said``."""
    most = _most(bars)
    numbers = dict.fromkeys((0, most // 2, most))
    return [{"y": _HEIGHT - n / most * _HEIGHT, "said": n} for n in numbers] if most else []


def _moments(bars: Sequence[Bar]) -> List[Dict[str, Any]]:
    """The marks of the axis of time: ``x`` and ``said``, the date and the time to the minute in
    UTC."""
    places = dict.fromkeys(len(bars) * n // _MOMENTS for n in range(_MOMENTS)) if bars else {}
    return [
        {"x": place * _WIDTH / len(bars), "said": bars[place].start[:16].replace("T", " ")}
        for place in places
    ]


def _parts(bars: Sequence[Bar]) -> List[Dict[str, Any]]:
    """The rectangles of the timeline, from below: ``x``, ``y`` is the corner at the top left."""
    made: List[Dict[str, Any]] = []
    for place, bar in enumerate(bars):
        y = float(_HEIGHT)
        for kind, number in (("acted", bar.acted), ("held", bar.held), ("skipped", bar.skipped)):
            if number:
                height = max(1.0, number / _most(bars) * _HEIGHT)
                y -= height
                said = f"{bar.start[:19]}Z: {number} {kind}"
                x = place * _WIDTH / len(bars)
                made.append({"kind": kind, "x": x, "y": y, "height": height, "said": said})
    return made
