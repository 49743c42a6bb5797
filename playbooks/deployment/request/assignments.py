"""What ``-e`` and ``-s`` say: NAME=VALUE, NAME=@FILE, NAME=SECRET/KEY."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterable, List, TypeVar, Union

from playbooks.core.settings import DNS_NAME, VARIABLE

_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}", re.ASCII)


T = TypeVar("T")


@dataclass(frozen=True)
class Value:
    """A variable and its text."""

    name: str
    text: str


@dataclass(frozen=True)
class Reference:
    """A variable whose text is a key of a Secret that exists."""

    name: str
    secret: str
    key: str


#: What -e or -s gives.
Given = Union[Value, Reference]


def readable(read: Callable[[str], T], arguments: Iterable[str], problems: List[str]) -> List[T]:
    """What ``read`` makes of the arguments; what is wrong with the others goes to ``problems``."""
    found = []
    for argument in arguments:
        try:
            found.append(read(argument))
        except ValueError as error:
            problems.append(str(error))
    return found


def value(argument: str) -> Value:
    """Read NAME=VALUE or NAME=@FILE. Raises ValueError that says what is wrong."""
    name, equals, text = argument.partition("=")
    if not equals:
        # Not repeated: what stands there may be a secret without its name.
        raise ValueError("-e wants NAME=VALUE or NAME=@FILE, and one has no '='")
    _check_name(name, "-e")
    return _checked(name, _content(name, text[1:]) if text.startswith("@") else text)


def plain_value(name: str, text: str) -> Value:
    """The text as it is, also where it begins with '@'. Raises ValueError."""
    _check_name(name, "-e")
    return _checked(name, text)


def _checked(name: str, text: str) -> Value:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError(f"-e {name}: the value is not UTF-8 text") from None
    if "\0" in text:
        raise ValueError(f"-e {name}: no variable can hold a NUL character")
    return Value(name, text)


def reference(argument: str) -> Reference:
    """Read NAME=SECRET/KEY. Raises ValueError that says what is wrong."""
    name, _, place = argument.partition("=")
    secret, slash, key = place.partition("/")
    if not slash:
        raise ValueError("-s wants NAME=SECRET/KEY, a key of a Secret that exists")
    _check_name(name, "-s")
    if not DNS_NAME.fullmatch(secret):
        raise ValueError(f"-s {name}: {secret!r} cannot be the name of a Secret")
    if not _KEY.fullmatch(key):
        raise ValueError(f"-s {name}: {key!r} cannot be a key of a Secret")
    return Reference(name, secret, key)


def _check_name(name: str, option: str) -> None:
    if not VARIABLE.fullmatch(name):
        raise ValueError(f"{option}: {name!r} cannot be the name of a variable")


def _content(name: str, path: str) -> str:
    """The file's text without the line ends at its end, as a mounted Secret is read too."""
    hint = "a value that begins with '@' has to come from a file itself"
    try:
        return Path(path).read_bytes().decode("utf-8").rstrip("\r\n")
    except OSError as error:
        raise ValueError(f"-e {name}: cannot read {path!r}: {error.strerror} ({hint})") from None
    except UnicodeDecodeError:
        raise ValueError(f"-e {name}: {path!r} is not UTF-8 text") from None
