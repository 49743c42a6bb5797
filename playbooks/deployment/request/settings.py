"""Whether a playbook and its engine take the settings that ``-e`` and ``-s`` give."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Callable, Collection, Dict, Iterable, List, Mapping, Sequence

from playbooks.core import catalogue
from playbooks.core.chain.steps import STEPS
from playbooks.core.errors import InvalidSetting
from playbooks.core.evidence import settings as evidence
from playbooks.core.guards.filters import NAMESPACES
from playbooks.core.guards.when import WHEN, read
from playbooks.core.notifications import settings as notifications
from playbooks.core.playbook import Playbook
from playbooks.core.settings import Setting, is_name, names
from playbooks.deployment.errors import meant
from playbooks.deployment.request.assignments import Reference, Value
from playbooks.deployment.request.names import namespace_problems
from playbooks.infrastructure import this_pod
from playbooks.infrastructure.conditions import cel

# Settings whose value decides what is deployed, and what they decide.
_DECIDING = {
    NAMESPACES: "which roles are made",
    **{
        setting.name: "what is installed and which roles are made"
        for setting in (evidence.URL, evidence.FILES, evidence.PROCESSES, evidence.SNAPSHOTS)
    },
    WHEN.name: "what is installed",
    STEPS.name: "which roles are made and what is installed",
}

# How alike an unknown name and a setting's must be to be taken for a typing error.
_ALIKE = 0.75


_NOT_SET = "is not set, expected:"


def is_missing(problem: str) -> bool:
    """Whether it is that a setting is not given."""
    return problem.split(" ", 1)[-1].startswith(_NOT_SET)


class _Anything:
    """Stands in for what a playbook is built of."""

    def __getattr__(self, name: str) -> _Anything:
        return self

    def __call__(self, *_: object, **__: object) -> _Anything:
        return self


class _Read(Dict[str, Any]):
    """Settings that note what is read of them and is not declared."""

    def __init__(self, declared: Sequence[Setting]) -> None:
        super().__init__((s.name, _default(s)) for s in declared)
        self.undeclared: List[str] = []

    def __missing__(self, name: str) -> _Anything:
        self.undeclared.append(name)
        return _Anything()


def declaration_problems(playbook: Playbook) -> List[str]:
    """What ``build`` of a playbook reads that its reaction does not declare: a KeyError for every
    alert."""
    settings = _Read(playbook.settings)
    # Whatever else goes wrong may be due to what stands in for the cluster and for values.
    with suppress(Exception):
        playbook.build(settings, _Anything())
    return [
        f"{catalogue.origin(playbook.name)} reads the setting {name}, which"
        f" {playbook.reaction.__name__} does not declare: add it to its SETTINGS"
        for name in dict.fromkeys(settings.undeclared)
    ]


def condition_problems(playbook: Playbook, values: Sequence[Value]) -> List[str]:
    """What is wrong with the condition that is given; of a text that is no value of the setting at
    all ``setting_problems`` says so."""
    for value in values:
        if value.name == WHEN.name:
            with suppress(InvalidSetting):
                text = WHEN.check(value.text)
                try:
                    read(text, cel.condition, acts=playbook.acts)
                except InvalidSetting as error:
                    return [str(error)]
    return []


def _default(setting: Setting) -> Any:
    return _Anything() if setting.default is None else setting.check(setting.default)


def setting_problems(
    settings: Sequence[Setting],
    values: Sequence[Value],
    references: Sequence[Reference],
    unread: Collection[str] = (),
) -> List[str]:
    """``settings``: those of the playbook and of its engine. ``unread``: names that were given
    with a value that cannot be read, of which nothing more is said."""
    names_given = [v.name for v in values] + [r.name for r in references]
    texts = {value.name: value.text for value in values}
    found = [f"{n} is given twice" for n in dict.fromkeys(names_given) if names_given.count(n) > 1]
    found += [p for n in dict.fromkeys(names_given) for p in _name_problems(n, settings)]
    for setting in settings:
        if setting.name in texts:
            found += _value_problems(setting, texts[setting.name])
        elif setting.required and setting.name not in (*names_given, *unread):
            found.append(
                f"{setting.name} {_NOT_SET} {setting.help}"
                f" (-e {setting.name}=..., or -s {setting.name}=SECRET/KEY)"
            )
    deciding = {n: w for n, w in _DECIDING.items() if n != STEPS.name or STEPS in settings}
    found += by_value_only(deciding, references)
    if notifications.TOGETHER & set(unread):
        return found
    return found + _notification_problems(settings, texts, names_given)


def set_by(who: str, given: Iterable[str], is_set: Callable[[str], object]) -> List[str]:
    """``given``: names of variables. ``is_set``: whether ``who`` sets one of this name."""
    return [f"{name} is a variable that {who} sets itself" for name in given if is_set(name)]


def by_value_only(deciding: Mapping[str, str], references: Sequence[Reference]) -> List[str]:
    """``deciding``: settings whose value has to be known when something is deployed, and what each
    decides."""
    referred = {reference.name for reference in references}
    return [
        f"{name} decides {what}: it can come by -e only"
        for name, what in deciding.items()
        if name in referred
    ]


def _notification_problems(
    settings: Sequence[Setting], texts: Mapping[str, str], names_given: Sequence[str]
) -> List[str]:
    """What the messages about outcomes lack, where the playbook has any."""
    if notifications.OUTCOMES not in settings:
        return []
    unread = [name for name in notifications.DECIDING if name in names_given and name not in texts]
    if unread:
        return [f"{name} decides what is installed: it can come by -e only" for name in unread]

    def is_given(name: str) -> bool:
        return bool(texts[name]) if name in texts else name in names_given

    return notifications.lacking(texts, is_given)


def _name_problems(name: str, settings: Sequence[Setting]) -> List[str]:
    """What is wrong with a name that is no setting; most such names are plain variables."""
    known: Dict[str, Setting] = {setting.name: setting for setting in settings}
    if name in known:
        return []
    if name in this_pod.VARIABLES:
        return set_by("deploy_playbook", [name], bool)
    for setting in settings:
        if setting.secret and name == setting.file_variable:
            return [
                f"{name} would name a file inside the function:"
                f" give {setting.name}=@FILE, or -s {setting.name}=SECRET/KEY"
            ]
    alike = meant(name, known, alike=_ALIKE)
    return [f"there is no setting {name}{alike}"] if alike else []


def _value_problems(setting: Setting, text: str) -> List[str]:
    try:
        setting.check(text)
    except InvalidSetting as error:
        return [str(error)]
    if setting.name != NAMESPACES:
        return []
    named = [name for name in names(text) if is_name(name)]
    return [f"{NAMESPACES}: {p}" for name in named for p in namespace_problems(name)]
