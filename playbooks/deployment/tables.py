"""The Markdown table of a playbook's settings, from their declaration.

``python -m playbooks.deployment.tables delete`` prints it; the README holds the same.
"""

from __future__ import annotations

import sys
from typing import Iterable

from playbooks.core.settings import Setting
from playbooks.deployment.errors import UsageError
from playbooks.deployment.request import catalogue


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


def main() -> int:
    try:
        for name in sys.argv[1:] or catalogue.names():
            sys.stdout.write(settings_table(catalogue.load(name).settings))
    except UsageError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
