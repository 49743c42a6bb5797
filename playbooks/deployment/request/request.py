"""A deployment that was asked for, checked as far as that is possible without a cluster."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple, TypeVar

from playbooks.core.errors import InvalidSetting
from playbooks.core.evidence import settings as evidence
from playbooks.core.notifications import settings as notifications
from playbooks.core.playbook import Playbook
from playbooks.core.settings import Setting, is_name, names
from playbooks.deployment.command_line import Options
from playbooks.deployment.errors import UsageError
from playbooks.deployment.request import assignments, catalogue, topics, worker_settings
from playbooks.deployment.request.assignments import Reference, Value
from playbooks.infrastructure import this_pod

# The setting that says where a playbook may act, and so where it gets a Role.
NAMESPACES = "NAMESPACES"

# Settings that deploying has to know, and why.
_DECIDING = {
    NAMESPACES: "which roles are made",
    evidence.URL.name: "what is installed and which roles are made",
}

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", re.ASCII)
_RUNTIME = re.compile(r"python3\.([1-9][0-9]?|0)", re.ASCII)
_OLDEST_MINOR = 8
_LONGEST = 63

# How alike an unknown name and a setting's must be to be taken for a slip of the pen.
_ALIKE = 0.75

# Variables that are no settings, and that people set on purpose.
_VARIABLES = (
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
    *("NATS_URL", "FUNC_TIMEOUT", "KUBECONFIG", "STANDIN_OBJECTS", "TZ"),
    *("AWS_CA_BUNDLE", "AWS_DEFAULT_REGION", "AWS_REGION"),
)

T = TypeVar("T")


@dataclass(frozen=True)
class Request:
    """``function``: falco-<name>. ``secrets``: which of the ``values`` nobody else may see.

    ``namespaces``: the only ones in which the playbook acts; empty for all. ``settings``: those
    of the playbook and of what calls it.
    """

    playbook: Playbook
    function: str
    topics: Tuple[str, ...]
    runtime: str
    values: Mapping[str, str]
    secrets: Tuple[str, ...]
    references: Tuple[Reference, ...]
    namespaces: Tuple[str, ...]
    settings: Tuple[Setting, ...]

    def setting(self, name: str) -> Optional[Setting]:
        return next((known for known in self.settings if known.name == name), None)

    @property
    def warnings(self) -> List[str]:
        """What is odd about it, and may be meant."""
        plain = [name for name in self.values if name not in _VARIABLES and not self.setting(name)]
        return topics.warnings(self.topics) + [
            f"{name} is no setting of {self.playbook.name}: it is passed on as a variable"
            for name in plain
        ]


def check(options: Options) -> Request:
    """Raises UsageError with everything that is wrong."""
    problems: List[str] = []
    given = _read(assignments.value, options.values, problems)
    references = _read(assignments.reference, options.references, problems)
    problems += topics.problems(options.topics)
    playbook = _playbook(options.playbook, problems)
    name = options.name or options.playbook or ""
    problems += name_problems(name, len(options.topics)) + _runtime_problems(options.runtime)
    if not playbook:
        raise UsageError(problems)
    settings = playbook.settings
    if options.engine in ("auto", "kubernetes"):
        settings += worker_settings.SETTINGS
    problems += _setting_problems(settings, given, references)
    problems += playbook.reaction.problems(_texts(given, references))
    problems += [
        f"-s {r.name}: {r.secret} is the Secret that deploy_playbook itself makes"
        for r in references
        if r.secret == f"falco-{name}"
    ]
    if problems:
        raise UsageError(problems)
    values = {value.name: value.text for value in given}
    return Request(
        playbook=playbook,
        function=f"falco-{name}",
        topics=options.topics,
        runtime=options.runtime,
        values=values,
        secrets=tuple(s.name for s in settings if s.name in values and _hidden(s, values[s.name])),
        references=tuple(references),
        namespaces=_plain(values.get(NAMESPACES, "")),
        settings=settings,
    )


def name_problems(name: str, topics: int = 1) -> List[str]:
    """Why falco-<name> and its triggers cannot be called so."""
    if not name:
        return []
    if not _LABEL.fullmatch(name):
        return [f"{name!r} cannot be a name: small letters, digits and '-' inside"]
    longest = f"falco-{name}-trigger-{max(topics - 1, 0)}"
    if len(longest) > _LONGEST:
        return [f"{name!r} is too long a name: {longest} has {len(longest)} of {_LONGEST} letters"]
    return []


def namespace_problems(namespace: str) -> List[str]:
    if _LABEL.fullmatch(namespace):
        return []
    return [f"{namespace!r} cannot be a namespace: small letters, digits and '-' inside"]


def _read(read: Callable[[str], T], arguments: Iterable[str], problems: List[str]) -> List[T]:
    found = []
    for argument in arguments:
        try:
            found.append(read(argument))
        except ValueError as error:
            problems.append(str(error))
    return found


def _playbook(name: Optional[str], problems: List[str]) -> Optional[Playbook]:
    if not name:
        problems.append(f"no playbook is given: -p with one of {', '.join(catalogue.names())}")
        return None
    try:
        return catalogue.load(name)
    except UsageError as error:
        problems.extend(error.problems)
        return None


def _runtime_problems(runtime: str) -> List[str]:
    match = _RUNTIME.fullmatch(runtime)
    if not match:
        return [f"runtime {runtime!r} is none of Kubeless' Pythons, such as python3.8"]
    if int(match[1]) < _OLDEST_MINOR:
        return [f"runtime {runtime} is too old: playbooks need Python 3.{_OLDEST_MINOR} or later"]
    return []


def _setting_problems(
    settings: Sequence[Setting], values: Sequence[Value], references: Sequence[Reference]
) -> List[str]:
    names_given = [v.name for v in values] + [r.name for r in references]
    texts = {value.name: value.text for value in values}
    found = [f"{n} is given twice" for n in dict.fromkeys(names_given) if names_given.count(n) > 1]
    found += [p for n in dict.fromkeys(names_given) for p in _name_problems(n, settings)]
    for setting in settings:
        if setting.name in texts:
            found += _value_problems(setting, texts[setting.name])
        elif setting.required and setting.name not in names_given:
            found.append(
                f"{setting.name} is not set, expected: {setting.help}"
                f" (-e {setting.name}=..., or -s {setting.name}=SECRET/KEY)"
            )
    found += [
        f"{name} decides {what}: it can come by -e only"
        for name, what in _DECIDING.items()
        if any(reference.name == name for reference in references)
    ]
    return found + _telling_problems(settings, texts, names_given)


def _telling_problems(
    settings: Sequence[Setting], texts: Mapping[str, str], names_given: Sequence[str]
) -> List[str]:
    """What the messages about outcomes lack, where the playbook has any."""
    if notifications.OUTCOMES not in settings:
        return []
    if notifications.OUTCOMES.name in names_given and notifications.OUTCOMES.name not in texts:
        return [f"{notifications.OUTCOMES.name} decides what is installed: it can come by -e only"]
    told = notifications.to_slack(texts)
    webhook = notifications.WEBHOOK.name
    given = texts.get(webhook) if webhook in texts else webhook in names_given
    return [notifications.MISSING] if told and not given else []


def _name_problems(name: str, settings: Sequence[Setting]) -> List[str]:
    """What is wrong with a name that is no setting; most such names are plain variables."""
    known: Dict[str, Setting] = {setting.name: setting for setting in settings}
    if name in known:
        return []
    if name in this_pod.VARIABLES:
        return [f"{name} is a variable that deploy_playbook sets itself"]
    for setting in settings:
        if setting.secret and name == setting.file_variable:
            return [
                f"{name} would name a file inside the function:"
                f" give {setting.name}=@FILE, or -s {setting.name}=SECRET/KEY"
            ]
    alike = get_close_matches(name.upper(), known, n=1, cutoff=_ALIKE)
    return [f"there is no setting {name}, did you mean {alike[0]}?"] if alike else []


def _texts(values: Sequence[Value], references: Sequence[Reference]) -> Dict[str, str]:
    """What is given, as far as it is known here: of a Secret's key only that there is one."""
    return {**{r.name: "?" for r in references}, **{v.name: v.text for v in values}}


def _value_problems(setting: Setting, text: str) -> List[str]:
    try:
        setting.check(text)
    except InvalidSetting as error:
        return [str(error)]
    if setting.name != NAMESPACES:
        return []
    return [p for name in names(text) if is_name(name) for p in namespace_problems(name)]


def _hidden(setting: Setting, text: str) -> bool:
    """Whether the text belongs into a Secret."""
    return setting.secret and not worker_settings.is_path(setting, text)


def _plain(text: str) -> Tuple[str, ...]:
    """The namespaces, where they are all names; none where one is a glob."""
    given = names(text)
    return tuple(dict.fromkeys(given)) if all(is_name(name) for name in given) else ()
