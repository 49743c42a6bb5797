"""Settings: declared once, read once, checked before anything is deployed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Mapping, Optional, Sequence, Tuple
from urllib.parse import urlsplit

from playbooks.core.errors import InvalidSetting
from playbooks.core.subjects import Priority

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", re.ASCII)

#: Names of namespaces, and of most other objects, as Kubernetes takes them.
#: Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
DNS_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", re.ASCII)

#: What every version of Kubernetes takes as the name of a variable.
VARIABLE = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*", re.ASCII)

#: Hosts whose traffic stays on this machine.
LOOPBACK = ("localhost", "127.0.0.1", "::1")

# Begins a key or a certificate that stands where the name of its file is expected.
_PEM = "-----BEGIN "

Settings = Mapping[str, Any]
Kind = Callable[[str], Any]


@dataclass(frozen=True)
class Setting:
    """One variable of a playbook.

    ``kind`` turns its text into a value or raises ValueError that says what it expected.
    ``default`` is written as a user would write it; None means that the setting is required.
    A ``secret`` may come from a file instead, named by ``<NAME>_FILE``, and is never shown.
    """

    name: str
    kind: Kind
    default: Optional[str]
    help: str
    secret: bool = False

    @property
    def required(self) -> bool:
        return self.default is None

    @property
    def file_variable(self) -> str:
        return self.name + "_FILE"

    def is_given(self, values: Mapping[str, str]) -> bool:
        """Whether it has a value that is not empty, as settings were written."""
        return bool(values.get(self.name) or values.get(self.file_variable))

    def check(self, value: str) -> Any:
        """The typed value. Values of files and Secrets may end with a line end, which is none of
        theirs. Raises InvalidSetting."""
        value = value.rstrip("\r\n")
        try:
            return self.kind(value)
        except InvalidSetting:
            raise
        except Exception as error:
            hidden = self.secret or _PEM in value
            shown = "(not shown)" if hidden else repr(value)
            raise InvalidSetting(f"{self.name} is {shown}, {_said(error, value, hidden)}") from None


def _said(error: Exception, value: str, hidden: bool) -> str:
    """What the kind of a setting says of a value, which is not shown where it is ``hidden``."""
    if isinstance(error, ValueError):
        forms = filter(None, (repr(value), value.strip()))
        leaks = hidden and any(form in str(error) for form in forms)
        return f"expected {'another value' if leaks else error}"
    kind = type(error).__name__
    return f"and what reads it raised {kind if hidden else f'{kind}: {error}'}"


def read(declared: Iterable[Setting], environ: Mapping[str, str]) -> Dict[str, Any]:
    """Read every declared setting from the environment, secrets from their files too.

    Raises InvalidSetting, which names the variable, its value and what was expected.
    """
    return {setting.name: _read(setting, environ) for setting in declared}


def unique(declared: Iterable[Setting]) -> Tuple[Setting, ...]:
    """Each name once: as it is declared first."""
    found: Dict[str, Setting] = {}
    for setting in declared:
        found.setdefault(setting.name, setting)
    return tuple(found.values())


def _read(setting: Setting, environ: Mapping[str, str]) -> Any:
    value = environ.get(setting.name)
    path = environ.get(setting.file_variable) if setting.secret else None
    if value is not None and path is not None:
        raise InvalidSetting(
            f"{setting.name} and {setting.file_variable} are both set, expected one"
        )
    if path is not None:
        value = _content(setting, path)
    if value is None:
        value = setting.default
    if value is None:
        also = f" (or {setting.file_variable})" if setting.secret else ""
        raise InvalidSetting(f"{setting.name}{also} is not set, expected: {setting.help}")
    return setting.check(value)


def _content(setting: Setting, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InvalidSetting(
            f"{setting.file_variable} is {path!r}, expected a file that can be read: {why}"
        ) from None


def text(value: str) -> str:
    if not value.strip():
        raise ValueError("text that is not empty")
    return value


def yes_or_no(value: str) -> bool:
    answers = {"true": True, "false": False}
    if value.lower() not in answers:
        raise ValueError("true or false")
    return answers[value.lower()]


def whole_number(least: int, most: int) -> Kind:
    def kind(value: str) -> int:
        expected = ValueError(f"a whole number from {least} to {most}")
        if not (value.isascii() and value.isdigit() and len(value) < 19):
            raise expected
        if not least <= int(value) <= most:
            raise expected
        return int(value)

    return kind


def or_off(kind: Kind) -> Kind:
    """The same, or None for ``off``."""

    def given(value: str) -> Any:
        if value == "off":
            return None
        try:
            return kind(value)
        except ValueError as error:
            raise ValueError(f"{error}, or off") from None

    return given


def or_nothing(kind: Kind) -> Kind:
    """The same, or empty for a text that is. Blanks are not: they were meant to be something."""
    return lambda value: kind(value) if value else ""


def one_of(*choices: str) -> Kind:
    def kind(value: str) -> str:
        if value not in choices:
            raise ValueError(f"one of {', '.join(choices)}")
        return value

    return kind


def names(value: str) -> Tuple[str, ...]:
    """Names or globs, separated by commas or newlines; none means no limit."""
    return tuple(part.strip() for part in value.replace("\n", ",").split(",") if part.strip())


def rule_names(value: str) -> Tuple[str, ...]:
    r"""As ``names``. The names of rules may contain a comma: it is written ``\,``."""
    parts = re.split(r"(?<!\\),|\n", value)
    return tuple(part.strip().replace("\\,", ",") for part in parts if part.strip())


def networks(value: str) -> Tuple[str, ...]:
    """Networks in CIDR notation, separated by commas."""
    try:
        return tuple(str(ip_network(part)) for part in names(value))
    except ValueError as error:
        raise ValueError(f"networks such as 10.0.0.0/8 ({error})") from None


def namespaces(value: str) -> Tuple[str, ...]:
    """Names of namespaces, separated by commas."""
    found = names(value)
    if not all(map(DNS_LABEL.fullmatch, found)):
        raise ValueError("names of namespaces, such as monitoring, comma-separated")
    return found


def qualified_name(value: str) -> str:
    """A Kubernetes label or taint key: an optional DNS prefix, a slash, a name."""
    prefix, slash, name = value.rpartition("/")
    if not _NAME.fullmatch(name) or (slash and not DNS_NAME.fullmatch(prefix)):
        raise ValueError("a key such as falco/alert")
    return value


def label_value(value: str) -> str:
    """A Kubernetes label or taint value, which may be empty."""
    if value and not _NAME.fullmatch(value):
        raise ValueError(
            "at most 63 letters, digits, '-', '_' or '.', beginning and ending with"
            " a letter or digit"
        )
    return value


def priority(value: str) -> Priority:
    return Priority.of(value)


def http_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and parts.hostname and value.isprintable()
    except ValueError:
        usable = False
    if not usable or " " in value:
        raise ValueError("a URL that starts with https:// or http://")
    return value


def secure_url(value: str) -> str:
    """An https:// URL, or one of this machine, whose traffic nobody can read or change."""
    http_url(value)
    parts = urlsplit(value)
    if parts.scheme != "https" and parts.hostname not in LOOPBACK:
        raise ValueError("a URL that starts with https://")
    return value


def matching(name: str, globs: Sequence[str]) -> Optional[str]:
    """The name itself where it is one of the globs, or the first glob that it matches, or None."""
    return _matching(name, tuple(globs))


@lru_cache(maxsize=4096)
def _matching(name: str, globs: Tuple[str, ...]) -> Optional[str]:
    return name if name in globs else next((g for g in globs if fnmatchcase(name, g)), None)


def matches_any(name: str, globs: Sequence[str]) -> bool:
    """Whether the name is one of the globs'; none of them means no limit."""
    return not globs or matching(name, globs) is not None


def is_name(glob: str) -> bool:
    """Whether it stands for one name only."""
    return not set(glob) & set("*?[")


def all_names(globs: Sequence[str]) -> Tuple[str, ...]:
    """The same, where each is a name; none, which stands for all, where one is a glob."""
    return tuple(globs) if all(map(is_name, globs)) else ()
