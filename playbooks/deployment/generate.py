"""What this repository has from declarations: the tables of docs/settings.md and docs/guards.md,
the users of docs/nats-users.conf, and a part of docs/chart. ``python -m
playbooks.deployment.generate``, at its top, writes all of it.
"""

from __future__ import annotations

import re
import sys
from itertools import takewhile
from pathlib import Path
from typing import Callable, Dict, Iterable, Iterator, List, Mapping, Sequence, Tuple, Type

from playbooks.core import catalogue, guards
from playbooks.core.guards.guard import Guard
from playbooks.core.settings import Setting
from playbooks.deployment import chart
from playbooks.deployment.engines import kubernetes, registry
from playbooks.deployment.nats import users
from playbooks.deployment.request import by_name
from playbooks.engines.pushed import TOPICS
from playbooks.engines.worker.settings import FOR_USERS, HTTP_TOKEN

_CHART, _USERS = "docs/chart", "docs/nats-users.conf"

# Of a page: what stands between is generated.
_BLOCK = re.compile(r"(<!-- tables -->\n).*?(<!-- end -->)", re.DOTALL)


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


# By page, what makes its tables.
_PAGES: Mapping[str, Callable[[], str]] = {
    "docs/settings.md": all_settings,
    "docs/guards.md": guards_table,
}


def filled(page: str, tables: str) -> str:
    """The text of a page with these between its marks."""
    return _BLOCK.sub(lambda block: f"{block[1]}{tables}{block[2]}", page)


def stale(top: Path) -> Dict[str, str]:
    """By its path in the repository at ``top``, what each file that is not there, or is otherwise,
    has to be. Raises OSError where a page is not there."""
    made = {f"{_CHART}/{path}": text for path, text in chart.files().items()}
    for page, table in _PAGES.items():
        made[page] = filled((top / page).read_text(encoding="utf-8"), table())
    made[_USERS] = _with_users((top / _USERS).read_text(encoding="utf-8"))
    return {path: text for path, text in made.items() if not _has(top / path, text)}


def _with_users(text: str) -> str:
    """The comment at the top of the file, and the users below it."""
    head = takewhile(lambda line: line.startswith("#"), text.splitlines(keepends=True))
    return "".join([*head, users.configuration(users.documented())])


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
    if arguments or not Path(_CHART).is_dir():
        usage = "python -m playbooks.deployment.generate, at the top of the repository"
        print(f"usage: {usage}", file=sys.stderr)
        return 2
    for path in generate(Path()):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
