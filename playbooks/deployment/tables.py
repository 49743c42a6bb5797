"""Tables of settings and guards, from their declarations.

``python -m playbooks.deployment.tables delete`` prints the settings of a playbook in Markdown,
``python -m playbooks.deployment.tables guards`` the guards; the documentation holds the same.
"""

from __future__ import annotations

import sys
import textwrap
from typing import Iterable, Iterator, Type

from playbooks.core import guards
from playbooks.core.guards.guard import Guard
from playbooks.core.settings import Setting
from playbooks.deployment.errors import UsageError
from playbooks.deployment.request import catalogue

# Columns of what ``-l`` prints.
WIDTH = 100
INDENT = 8


def settings_table(settings: Iterable[Setting]) -> str:
    rows = [
        f"| `{setting.name}` | {_default(setting)} | {_meaning(setting)} |" for setting in settings
    ]
    return "\n".join(["| Setting | Default | What it does |", "|---|---|---|", *rows]) + "\n"


def _default(setting: Setting) -> str:
    if setting.default is None:
        return "**required**"
    return f"`{_cell(setting.default)}`" if setting.default else "(empty)"


def _meaning(setting: Setting) -> str:
    return _cell(setting.help) + (" (secret)" if setting.secret else "")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def guards_table() -> str:
    head = [
        "| | What may pass | Settings and defaults | Reason codes | Off |",
        "|---|---|---|---|---|",
    ]
    rows = [_row(place, guard) for place, guard in enumerate(guards.ORDER, 1)]
    return "\n".join([*head, *rows]) + "\n"


def _row(place: int, guard: Type[Guard]) -> str:
    settings = ", ".join(f"`{s.name}` {_short(s.default)}" for s in guard.SETTINGS) or "(none)"
    reasons = ", ".join(f"`{reason}`" for reason in guard.REASONS)
    return f"| {place} | {_summary(guard)} | {settings} | {reasons} | {guard.OFF} |"


def _summary(guard: Type[Guard]) -> str:
    first = (guard.__doc__ or "").strip().split("\n\n")[0]
    return " ".join(first.split()).replace("``", "`")


def _short(default: object) -> str:
    text = str(default)
    if len(text) > 40:
        return "(see below)"
    return f"(`{text}`)" if text else "(empty)"


def listing() -> str:
    """What ``-l`` prints: every playbook, what it does, and its settings."""
    return "\n".join(_of(name) for name in catalogue.names())


def _of(name: str) -> str:
    lines = [name, f"    {catalogue.summary(name)}"]
    for setting in catalogue.load(name).settings:
        lines += _lines(setting)
    return "\n".join(lines) + "\n"


def _lines(setting: Setting) -> Iterator[str]:
    value = "required" if setting.default is None else f"default {setting.default or '(empty)'}"
    yield f"    {setting.name}: {value}{', secret' if setting.secret else ''}"
    margin = " " * INDENT
    yield from textwrap.wrap(setting.help, WIDTH, initial_indent=margin, subsequent_indent=margin)


def main() -> int:
    try:
        for name in sys.argv[1:] or catalogue.names():
            table = (
                guards_table()
                if name == "guards"
                else settings_table(catalogue.load(name).settings)
            )
            sys.stdout.write(table)
    except UsageError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
