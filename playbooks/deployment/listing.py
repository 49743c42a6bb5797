"""What ``-l`` prints: every playbook, what it does, and its settings."""

from __future__ import annotations

import textwrap
from typing import Iterator

from playbooks.core.settings import Setting
from playbooks.deployment.request import catalogue

WIDTH = 100
INDENT = 8


def listing() -> str:
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
