"""What a person sees: two lines an alert, then what it came to."""

from __future__ import annotations

import os
import shutil
import textwrap
import threading
import time
from collections import Counter
from typing import Iterable, List, Sequence, TextIO, Tuple

from playbooks.core.alert import Alert
from playbooks.core.errors import InvalidAlert
from playbooks.core.notifications.plain_text import plain
from playbooks.core.outcome import Outcome, Status
from playbooks.engines.outcome_log import named
from playbooks.engines.pushed import NOT_SUBSCRIBED

COLUMNS = ("TIME", "PRIORITY", "RULE", "STATUS", "TARGET, OR WHY NONE")
TIME, PRIORITY, STATUS = 19, 13, 14
LONGEST_RULE = 37
LEAST_WIDTH, MOST_WIDTH = 90, 140

_COLOURS = {"acted": "1;32", "would act": "33", "failed": "1;31", "skipped": "2"}


class Report:
    """Rows as they come. ``width`` in characters; colours only on a terminal. ``reasons``: under
    each outcome a tree of the checks that led to it, of which the last is its message."""

    def __init__(
        self, output: TextIO, width: int, *, colours: bool = False, reasons: bool = False
    ) -> None:
        self._output = output
        self._width = max(LEAST_WIDTH, min(MOST_WIDTH, width))
        self._colours = colours
        self._reasons = reasons
        left = self._width - TIME - PRIORITY - STATUS - 4 * 2
        self._rule = min(LONGEST_RULE, left // 2)
        self._last = left - self._rule
        self._started = time.monotonic()
        self._begun = False
        # Notes come from other threads than rows.
        self._lock = threading.Lock()
        self.counts: Counter[str] = Counter()
        self.invalid = 0
        self.acted: List[Outcome] = []

    @classmethod
    def on(cls, output: TextIO, *, reasons: bool = False) -> Report:
        """As wide as the terminal, coloured where it is one (and NO_COLOR is not set)."""
        colours = output.isatty() and not os.environ.get("NO_COLOR")
        width = shutil.get_terminal_size((120, 40)).columns - 1
        return cls(output, width, colours=colours, reasons=reasons)

    def say(self, *paragraphs: str) -> None:
        with self._lock:
            for paragraph in paragraphs:
                for line in _wrapped(paragraph, self._width) or [""]:
                    self._print(line)

    def add(self, body: bytes, origin: str, outcome: Outcome) -> None:
        """One alert and what became of it."""
        with self._lock:
            self._add(body, origin, outcome)

    def _add(self, body: bytes, origin: str, outcome: Outcome) -> None:
        status = "not subscribed" if outcome.reason == NOT_SUBSCRIBED else str(outcome.status)
        self.counts[status] += 1
        self.invalid += isinstance(outcome.error, InvalidAlert)
        if outcome.status is Status.ACTED:
            self.acted.append(outcome)
        moment, priority, rule = _named(body)
        if not self._begun:
            self._begun = True
            self._print("")
            self._row(*COLUMNS)
        place = outcome.target or origin * (not moment)
        if self._reasons and len(outcome.why) > 1:
            self._row(moment, priority, rule, status, place)
            return self._tree(outcome.why)
        if not place and len(outcome.message) <= self._last:
            return self._row(moment, priority, rule, status, outcome.message)
        self._row(moment, priority, rule, status, place)
        indent = " " * (TIME + 2)
        for line in _wrapped(outcome.message, self._width - len(indent)):
            self._print(indent + line)
        return None

    def _tree(self, checks: Sequence[str]) -> None:
        branch, last, along = self._lines_of_a_tree()
        indent = " " * (TIME + 2)
        for number, check in enumerate(checks, 1):
            ends = number == len(checks)
            first, rest = (last, "   ") if ends else (branch, along)
            width = self._width - len(indent) - len(first)
            for place, line in enumerate(_wrapped(check, width) or [""]):
                self._print(indent + (rest if place else first) + line)

    def _lines_of_a_tree(self) -> Tuple[str, str, str]:
        lines = ("\u251c\u2500 ", "\u2514\u2500 ", "\u2502  ")
        try:
            "".join(lines).encode(getattr(self._output, "encoding", None) or "utf-8")
        except UnicodeEncodeError:
            return "|- ", "`- ", "|  "
        return lines

    def summary(self) -> None:
        seconds = time.monotonic() - self._started
        order = ("acted", "would act", "skipped", "not subscribed", "failed")
        parts = [f"{self.counts[status]} {status}" for status in order if self.counts[status]]
        total = sum(self.counts.values())
        no_alerts = f" ({self.invalid} no alert)" if self.invalid else ""
        self._print("")
        self._print(
            f"{_number(total, 'alert')} in {seconds:.1f} s: "
            f"{', '.join(parts) or 'nothing done'}{no_alerts}"
        )

    def table(self, title: str, rows: Iterable[Sequence[str]]) -> None:
        """Columns as wide as they need to be, the last one wrapped."""
        lines = [[plain(cell) for cell in row] for row in rows]
        if not lines:
            return
        widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]) - 1)]
        self._print("")
        self._print(title)
        for line in lines:
            cells = [cell.ljust(width) for cell, width in zip(line, widths)]
            self._print("  " + "  ".join([*cells, line[-1]]).rstrip())

    def _row(self, moment: str, priority: str, rule: str, status: str, target: str) -> None:
        cells = (
            moment.ljust(TIME),
            priority.ljust(PRIORITY),
            _cut(plain(rule), self._rule).ljust(self._rule),
            self._coloured(status),
            plain(target),
        )
        self._print("  ".join(cells).rstrip())

    def _coloured(self, status: str) -> str:
        code = _COLOURS.get(status) if self._colours else None
        padded = status.ljust(STATUS)
        return f"\033[{code}m{padded}\033[0m" if code else padded

    def _print(self, line: str) -> None:
        encoding = getattr(self._output, "encoding", None) or "utf-8"
        print(line.encode(encoding, "replace").decode(encoding), file=self._output, flush=True)


def _named(body: bytes) -> Tuple[str, str, str]:
    """Time, priority and rule; where it is no alert, its rule if it says one."""
    try:
        alert = Alert.parse(body)
    except InvalidAlert:
        return "", "", (named(body) or {}).get("rule", "(no alert)")
    moment = str(alert.time).partition(".")[0].replace("T", " ")
    return moment, str(alert.priority), alert.rule


def _wrapped(text: str, width: int) -> List[str]:
    return textwrap.wrap(plain(text), width, break_on_hyphens=False)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"
