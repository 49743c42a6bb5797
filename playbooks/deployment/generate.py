"""What this repository has from declarations: the tables of docs/settings.md and docs/guards.md,
and a part of docs/chart. ``python -m playbooks.deployment.generate``, at its top, writes all of it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Dict, List, Sequence

from playbooks.deployment import chart, tables

_PAGES = ("docs/settings.md", "docs/guards.md")
_CHART = "docs/chart"


def stale(top: Path) -> Dict[str, str]:
    """By its path in the repository at ``top``, what each file that is not there, or is otherwise,
    has to be. Raises OSError where a page is not there."""
    pages = {page: tables.filled((top / page).read_text(encoding="utf-8")) for page in _PAGES}
    made = {**pages, **{f"{_CHART}/{path}": text for path, text in chart.files().items()}}
    return {path: text for path, text in made.items() if not _has(top / path, text)}


def generate(top: Path) -> List[str]:
    """Write them. Returns their paths. Raises OSError."""
    found = stale(top)
    for path, text in found.items():
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_text(text, encoding="utf-8")
    return list(found)


def _has(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


def main(arguments: Sequence[str]) -> int:
    if arguments or not Path(_PAGES[0]).is_file():
        usage = "python -m playbooks.deployment.generate, at the top of the repository"
        print(f"usage: {usage}", file=sys.stderr)
        return 2
    for path in generate(Path()):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
