"""Shows something anew every few seconds, until Ctrl-C."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import Callable, Iterator

from playbooks.core.errors import PlaybookError
from playbooks.core.notifications.plain_text import plain_lines
from playbooks.deployment.apply.waiting import Sleep
from playbooks.deployment.terminal import styled
from playbooks.infrastructure.this_pod import SystemClock

# Seconds between the end of one look and the next.
EVERY = 5.0

# As shells have it for what Ctrl-C ended.
INTERRUPTED = 130

Show = Callable[[str], None]


def watch(look: Callable[[], str], *, sleep: Sleep, every: float = EVERY) -> int:
    """On a terminal the window is redrawn, never longer than it is, and left as it was; elsewhere
    what changed is printed below what was before. An error after the first look is shown in its
    place, and it goes on. Returns the exit code.

    Raises the PlaybookError of the first look.
    """
    found = look()
    try:
        with _window() if styled() else _below() as show:
            while True:
                show(found)
                sleep(every)
                try:
                    found = look()
                except PlaybookError as error:
                    found = f"error: {error}"
    except KeyboardInterrupt:
        return INTERRUPTED


@contextmanager
def _below() -> Iterator[Show]:
    shown = ""

    def show(text: str) -> None:
        nonlocal shown
        if text != shown:
            separator = "\n" if shown else ""
            print(f"{separator}{plain_lines(text)}", flush=True)
        shown = text

    yield show


@contextmanager
def _window() -> Iterator[Show]:
    # Only here: it takes time to import.
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(highlight=False, file=sys.stdout)
    with Live(console=console, screen=True, auto_refresh=False) as live:

        def show(text: str) -> None:
            title = f"every {EVERY:.0f} s, {SystemClock().now().to_the_second}, Ctrl-C ends it"
            lines = [title, "", *plain_lines(text).split("\n")]
            left = len(lines) - console.height
            if left > 0:
                lines = [*lines[: console.height - 1], f"({left + 1} more lines)"]
            # As Text: an alert's words are no markup.
            shown = Text("\n".join(lines), no_wrap=True, overflow="ellipsis")
            live.update(shown, refresh=True)

        yield show
