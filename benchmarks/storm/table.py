"""The figures as one table: a row a figure, a column a contender, and what ours is of each."""

from __future__ import annotations

from typing import List, Optional, Sequence, Tuple

from benchmarks.storm.contender import Figures
from benchmarks.storm.measures import Memory

ROW = "{:45}{:>11}{:>13}{:>13}{:>13}{:>12}{:>12}"

Cells = Tuple[str, Sequence[Optional[float]], float, int]


def printed(
    ours: Figures, bare: Figures, talon: Optional[Figures], naive: Figures, pods: int, many: int
) -> str:
    all_four = (ours, bare, talon or Figures(), naive)
    lines = [
        ROW.format(
            "", "worker", "API server", "Falco Talon", "naive way", "of the API", "of Talon"
        ),
    ]

    def row(
        name: str, values: Sequence[Optional[float]], scale: float = 1.0, digits: int = 1
    ) -> None:
        lines.append(_row(name, values, scale, digits))

    def times(name: str, words: str) -> None:
        for part in (0.5, 0.99):
            row(f"{words}, p{part * 100:.0f}, ms", [f.p(name, part) for f in all_four], 1000)

    row(f"reactions a second, {pods} alerts at once", [f.reactions for f in all_four])
    row("CPU of a reaction, ms", [f.cpu for f in all_four], 1000, 2)
    row("skipped a second, without a call", [f.skipped for f in all_four], digits=0)
    row("skipped a second, after one call", [f.skipped_after_call for f in all_four], digits=0)
    times("asked", "idle, alert to API request")
    times("gone", "idle, alert to pod gone")
    times("among_many", f"the same among {many} pods")
    for words, name in (("at rest", "rest"), ("under storm", "storm")):
        for kind in ("rss", "pss"):
            row(f"memory {words}, {kind.upper()}, MB", [_of(f, name, kind) for f in all_four])
    row("start to ready, s", [f.start for f in all_four], digits=2)
    return "\n".join(lines)


def _of(figures: Figures, name: str, kind: str) -> Optional[float]:
    found: Optional[Memory] = getattr(figures, name)
    return getattr(found, kind) if found else None


def _row(name: str, values: Sequence[Optional[float]], scale: float, digits: int) -> str:
    cells: List[str] = ["-" if v is None else f"{v * scale:,.{digits}f}" for v in values]
    ours, bare, talon, _ = values
    return ROW.format(name, *cells, _ratio(ours, bare), _ratio(ours, talon))


def _ratio(ours: Optional[float], other: Optional[float]) -> str:
    return "" if not ours or not other else f"x {ours / other:.2f}"
