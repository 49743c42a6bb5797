"""The figures as one table: a row a figure, a column a contender, and what ours is of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import List, Optional, Sequence

from benchmarks.storm.contender import Figures
from benchmarks.storm.measures import Memory

COLUMNS = ("worker", "no view", "two calls", "one call", "Falco Talon", "naive way")
RATIOS = ("of two", "of one", "of Talon")
ROW = "{:44}" + "{:>12}" * len(COLUMNS) + "{:>10}" * len(RATIOS)


@dataclass
class All:
    """``bare``: the API server's own limit, of two calls a pod and of one."""

    ours: Figures = field(default_factory=Figures)
    reading: Figures = field(default_factory=Figures)
    bare: Figures = field(default_factory=Figures)
    once: Figures = field(default_factory=Figures)
    talon: Figures = field(default_factory=Figures)
    naive: Figures = field(default_factory=Figures)

    @property
    def each(self) -> Sequence[Figures]:
        return (self.ours, self.reading, self.bare, self.once, self.talon, self.naive)


def printed(figures: All, pods: int, many: int) -> str:
    lines = [ROW.format("", *COLUMNS, *RATIOS)]

    def row(
        name: str, values: Sequence[Optional[float]], scale: float = 1.0, digits: int = 1
    ) -> None:
        lines.append(_row(name, values, scale, digits))

    def times(name: str, words: str) -> None:
        for part in (0.5, 0.99):
            row(f"{words}, p{part * 100:.0f}, ms", [f.p(name, part) for f in figures.each], 1000)

    row(f"reactions a second, {pods} alerts at once", [f.reactions for f in figures.each])
    row("CPU of a reaction, ms", [f.cpu for f in figures.each], 1000, 2)
    row("acted upon from the view, of all", [f.hits for f in figures.each], digits=3)
    row("skipped a second, without a call", [f.skipped for f in figures.each], digits=0)
    row("skipped a second, after one call", [f.skipped_after_call for f in figures.each], digits=0)
    times("asked", "idle, alert to API request")
    times("gone", "idle, alert to pod gone")
    times("among_many", f"the same among {many} pods")
    for words, name in (("at rest", "rest"), ("under storm", "storm")):
        for kind in ("rss", "pss"):
            row(f"memory {words}, {kind.upper()}, MB", [_of(f, name, kind) for f in figures.each])
    row("start to ready, s", [f.start for f in figures.each], digits=2)
    return "\n".join(lines)


def _of(figures: Figures, name: str, kind: str) -> Optional[float]:
    found: Optional[Memory] = getattr(figures, name)
    return getattr(found, kind) if found else None


def _row(name: str, values: Sequence[Optional[float]], scale: float, digits: int) -> str:
    cells: List[str] = ["-" if v is None else f"{v * scale:,.{digits}f}" for v in values]
    ours, _, two, one, talon, _ = values
    return ROW.format(name, *cells, *(_ratio(ours, other) for other in (two, one, talon)))


def _ratio(ours: Optional[float], other: Optional[float]) -> str:
    return "" if not ours or not other else f"x {ours / other:.2f}"
