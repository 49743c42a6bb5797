"""What a check found, and what to do about it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Callable, Dict, Iterable, List, Sequence

from playbooks.core.errors import NotPermitted, PlaybookError
from playbooks.core.notifications.plain_text import plain
from playbooks.deployment.errors import Interrupted
from playbooks.deployment.terminal import one_line, styled

OK, WARNING, FAILED = "ok", "warning", "failed"

# It could not be checked.
UNKNOWN = "unknown"

_STYLES = {OK: "green", WARNING: "yellow", FAILED: "bold red", UNKNOWN: "magenta"}
_WIDEST = len(WARNING)
_NAME = 21

# What a line names of one kind, at most.
MOST = 5


@dataclass(frozen=True)
class Finding:
    """``says``: one line. ``do``: what to do about it; empty where there is nothing to do."""

    check: str
    status: str
    says: str
    do: str = ""

    def to_dict(self) -> Dict[str, str]:
        return asdict(self)

    def __str__(self) -> str:
        """A line, and what to do on a second one. Parts of it come from alerts."""
        line = plain(f"{self.status:<{_WIDEST}}  {self.check:<{_NAME}}  {self.says}")
        return f"{line}\n{'':{_WIDEST + 4 + _NAME}}{plain(self.do)}" if self.do else line


def show(finding: Finding) -> None:
    """On standard output, with a colour for its status where that is a terminal."""
    if not styled():
        print(finding, flush=True)
        return
    from rich.console import Console
    from rich.text import Text

    text = Text(str(finding))
    text.stylize(_STYLES[finding.status], 0, _WIDEST)
    Console(highlight=False).print(text, soft_wrap=True)


def listed(words: Sequence[str]) -> str:
    """The first ones, and how many more there are."""
    more = f"; and {len(words) - MOST} more" * (len(words) > MOST)
    return "; ".join(words[:MOST]) + more


def is_ready(findings: Iterable[Finding]) -> bool:
    """What could not be checked is not ready."""
    return all(finding.status in (OK, WARNING) for finding in findings)


def evaluated(check: str, look: Callable[[], List[Finding]]) -> List[Finding]:
    """What it found, or why it could not be checked."""
    try:
        return look()
    except Interrupted:
        raise
    except NotPermitted as error:
        return [Finding(check, UNKNOWN, f"not permitted: {one_line(error)}", _ASK)]
    except PlaybookError as error:
        return [Finding(check, UNKNOWN, f"could not be checked: {one_line(error)}")]


_ASK = "ask an administrator for this right"
