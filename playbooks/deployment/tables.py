"""Tables of settings and guards, from their declarations.

``playbooks.deployment.generate`` puts them into pages, in Markdown: below
``<!-- tables: settings -->``, up to ``<!-- end -->``. ``settings`` are all settings, ``guards`` the
guards, and the name of a playbook its own settings.
"""

from __future__ import annotations

import re
import textwrap
from typing import Iterable, Iterator, Sequence, Tuple, Type

from playbooks.core import catalogue, guards
from playbooks.core.guards.guard import Guard
from playbooks.core.settings import Setting
from playbooks.deployment.engines import kubernetes, registry
from playbooks.deployment.errors import UsageError
from playbooks.deployment.request import by_name
from playbooks.engines.pushed import TOPICS
from playbooks.engines.worker.settings import FOR_USERS, HTTP_TOKEN

# Columns of what ``-l`` prints.
WIDTH = 100
INDENT = 8

_BLOCK = re.compile(r"(<!-- tables: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def settings_table(settings: Iterable[Setting]) -> str:
    rows = [
        f"| `{setting.name}` | {_default(setting)} | {_meaning(setting)} |" for setting in settings
    ]
    return "\n".join(["| Setting | Default | What it does |", "|---|---|---|", *rows]) + "\n"


def _default(setting: Setting) -> str:
    if setting is HTTP_TOKEN:
        return "(generated)"
    if setting.default is None:
        return "**required**"
    return f"`{_cell(setting.default)}`" if setting.default else "(empty)"


def _meaning(setting: Setting) -> str:
    return _cell(setting.help) + (" (secret)" if setting.secret else "")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def all_settings() -> str:
    """Every setting, each under the heading of what takes it."""
    shared = guards.settings(acts=False)
    acting = [setting for setting in guards.settings(acts=True) if setting not in shared]
    names = catalogue.own_names()
    acting_names = ", ".join(f"`{name}`" for name in names if by_name.load(name).acts)
    sections = [
        ("All playbooks", shared),
        (f"Playbooks that act on the cluster: {acting_names}", acting),
        *((f"`{name}`", by_name.load(name).reaction.SETTINGS) for name in names),
        ("The worker", FOR_USERS),
        ("Functions to which alerts are pushed (`TOPICS` comes from `-t`)", (TOPICS,)),
        *_of_engines(),
    ]
    return "\n".join(
        f"## {heading}\n\n{settings_table(settings)}" for heading, settings in sections
    )


def _of_engines() -> Iterator[Tuple[str, Sequence[Setting]]]:
    """What each engine takes beside those of the worker, which the engine kubernetes is."""
    of_worker = [_described(setting) for setting in FOR_USERS]
    for engine in registry.known().values():
        own = [setting for setting in engine.settings if _described(setting) not in of_worker]
        if own and engine is not kubernetes.ENGINE:
            yield f"`-E {engine.name}`: {engine.summary}", own


def _described(setting: Setting) -> Tuple[object, ...]:
    return setting.name, setting.default, setting.help


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
        return "(see [settings](settings.md))"
    return f"(`{text}`)" if text else "(empty)"


def listing() -> str:
    """What ``-l`` prints: every playbook, what it does, and its settings; or why it cannot be
    used."""
    return "\n".join(_of(name) for name in catalogue.names())


def _of(name: str) -> str:
    try:
        playbook = by_name.load(name)
    except UsageError as error:
        return "\n".join([name, *(f"    error: {problem}" for problem in error.problems)]) + "\n"
    lines = [name, f"    {catalogue.summary(name)}"]
    for setting in playbook.settings:
        lines += _lines(setting)
    return "\n".join(lines) + "\n"


def _lines(setting: Setting) -> Iterator[str]:
    value = "required" if setting.default is None else f"default {setting.default or '(empty)'}"
    yield f"    {setting.name}: {value}{', secret' if setting.secret else ''}"
    margin = " " * INDENT
    yield from textwrap.wrap(setting.help, WIDTH, initial_indent=margin, subsequent_indent=margin)


def tables(name: str) -> str:
    """``settings``, ``guards``, or the settings of one playbook. Raises UsageError."""
    if name == "settings":
        return all_settings()
    if name == "guards":
        return guards_table()
    return settings_table(by_name.load(name).settings)


def filled(page: str) -> str:
    """The text of a page with every block of tables as it is declared now. Raises UsageError."""
    return _BLOCK.sub(lambda block: f"{block[1]}{tables(block[2])}{block[3]}", page)
