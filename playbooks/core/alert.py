"""The alert: what Falco says, parsed from what an engine was given."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Callable, Dict, Iterator, Mapping, Optional, Tuple, TypeVar, Union

from playbooks.core.claim import Claim
from playbooks.core.errors import InvalidAlert
from playbooks.core.instant import Instant
from playbooks.core.subjects import Priority
from playbooks.core.tracing.traceparent import TraceParent

T = TypeVar("T")

# What stands for bytes that are no text, how deep fields may be nested, and how many lists and
# objects there may be in them: each takes twenty times what it is long in JSON.
REPLACED, DEEPEST, MOST = "\ufffd", 20, 1000

# Bytes of a short one, as Falco's are: to read a longer one takes time and memory.
SHORT = 16 * 1024

# Characters of a rule's name: it is in all that is said of its alerts.
LONGEST = 1000

_SURROGATE = re.compile("[\ud800-\udfff]")

# "13:22:11.153390386: Warning text" or, with time_format_iso_8601,
# "2026-01-02T03:04:05.123456789+0000: Warning text".
_OUTPUT_PREFIX = re.compile(
    r"(?:\d{4}-\d{2}-\d{2}T)?\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:?\d{2})?: "
    r"(?:Emergency|Alert|Critical|Error|Warning|Notice|Informational|Debug) ",
    re.ASCII,
)


@dataclass(frozen=True)
class Arrival:
    """What an engine knows of how an alert came.

    ``recorded``: from a file, so that its own time is the clock. ``released_by``: the person who
    let a held alert go on. ``received``: when the broker stored it, None where nobody says.
    ``trace``: the one that its sender names.
    """

    recorded: bool = False
    released_by: str = ""
    received: Optional[Instant] = None
    trace: Optional[TraceParent] = None


# Of an alert of which no more is known than that it came.
CAME = Arrival()


class NoAlert(bytes):
    """A body that was read and is no alert, so that nobody reads it again. ``why``: in words."""

    why = ""

    @classmethod
    def of(cls, body: bytes, error: InvalidAlert) -> NoAlert:
        found = cls(body)
        found.why = str(error)
        return found


@dataclass(frozen=True)
class Alert:
    """One Falco alert. Only rule, priority and time are always there.

    Text for people, and every field, may hold what an attacker named a file: bytes that are no
    UTF-8, and half a surrogate pair, are each U+FFFD here, control characters stay. Rule, priority
    and time decide, and are refused where they hold such a thing.
    ``time`` keeps Falco's nanoseconds. ``fields`` are Falco's ``output_fields``, ``source`` is
    ``syscall`` where the alert names none (Falco before 0.30), ``uuid`` is Falcosidekick's.
    """

    rule: str
    priority: Priority
    time: Instant
    output: str = ""
    source: str = "syscall"
    hostname: str = ""
    tags: Tuple[str, ...] = ()
    uuid: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, body: Union[Alert, Mapping[str, Any], str, bytes, None]) -> Alert:
        """Read an alert from a dict, or from its JSON as str or bytes. One that was read is given
        back.

        Raises InvalidAlert, which names the key, its value and what was expected.
        """
        if isinstance(body, Alert):
            return body
        if isinstance(body, NoAlert):
            raise InvalidAlert(body.why)
        document = _document(body)
        # Falcosidekick fills in the plural where Falco gave no source.
        source = _text(document, "source") or "syscall"
        return cls(
            rule=_required(document, "rule", _rule),
            priority=_required(document, "priority", Priority.of),
            time=_required(document, "time", Instant.parse),
            output=_text(document, "output"),
            source="syscall" if source == "syscalls" else source,
            hostname=_text(document, "hostname"),
            tags=_tags(document),
            uuid=_text(document, "uuid"),
            fields=_fields(document),
        )

    @property
    def message(self) -> str:
        """The output without Falco's time and priority in front."""
        prefix = _OUTPUT_PREFIX.match(self.output)
        return self.output[prefix.end() :] if prefix else self.output

    def to_dict(self) -> Dict[str, Any]:
        """The JSON object that Falco writes of it."""
        return {
            "rule": self.rule,
            "priority": str(self.priority),
            "time": str(self.time),
            "output": self.output,
            "source": self.source,
            "hostname": self.hostname,
            "tags": list(self.tags),
            "uuid": self.uuid,
            "output_fields": dict(self.fields),
        }

    @cached_property
    def claim(self) -> Claim:
        """What the alert points at, as far as it says."""
        return Claim.of(self.source, self.hostname, self.fields)


def _document(body: Union[Mapping[str, Any], str, bytes, None]) -> Mapping[str, Any]:
    parsed: Any = body
    if isinstance(body, (bytes, bytearray)):
        # A file's name may hold any bytes: that of an attacker's file is no way to be left alone.
        parsed = bytes(body).decode("utf-8", "replace")
    if isinstance(parsed, str):
        try:
            # Not strict: control characters may stand in text as they are.
            parsed = json.loads(parsed, strict=False)
        except (ValueError, RecursionError):
            raise _invalid("the message", _shown(parsed), "a JSON object") from None
    if not isinstance(parsed, Mapping):
        raise _invalid("the message", _shown(parsed), "a JSON object")
    return parsed


def _required(document: Mapping[str, Any], key: str, parse: Callable[[str], T]) -> T:
    value = document.get(key)
    if value is None or value == "<NA>":
        raise _invalid(key, "missing" if value is None else _shown(value), "a value")
    if not isinstance(value, str) or not value.strip():
        raise _invalid(key, _shown(value), "text that is not empty")
    try:
        return parse(value)
    except ValueError as error:
        raise _invalid(key, _shown(value), str(error)) from None


def _text(document: Mapping[str, Any], key: str) -> str:
    value = document.get(key)
    if value is None or value == "<NA>":
        return ""
    if not isinstance(value, str):
        raise _invalid(key, _shown(value), "text")
    return _valid(value)


def _rule(value: str) -> str:
    name = value.strip()
    if len(name) > LONGEST:
        raise ValueError(f"text of at most {LONGEST} characters")
    if REPLACED in _valid(name):
        raise ValueError("text that is valid UTF-8")
    if not name.isprintable() and any(unicodedata.category(c) == "Cc" for c in name):
        raise ValueError("text without control characters")
    return name


def _tags(document: Mapping[str, Any]) -> Tuple[str, ...]:
    value = document.get("tags")
    if value is None or value == "<NA>":
        return ()
    if not isinstance(value, (list, tuple)) or not all(isinstance(tag, str) for tag in value):
        raise _invalid("tags", _shown(value), "a list of text")
    return tuple(map(_valid, value))


def _fields(document: Mapping[str, Any]) -> Dict[str, Any]:
    value = document.get("output_fields")
    if value is None or value == "<NA>":
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise _invalid("output_fields", _shown(value), "an object")
    room = iter(range(MOST))
    return {_valid(key): _valid_within(found, room) for key, found in value.items()}


def _valid_within(value: Any, room: Iterator[int], depth: int = 0) -> Any:
    """Falco's fields are flat; what is nested deeper, or more often, than anybody nests is left
    out."""
    if isinstance(value, str):
        return _valid(value)
    if value is None or isinstance(value, (int, float)):
        return value
    # What JSON has comes first: to be told that it is a Mapping costs ten times as much.
    if isinstance(value, (list, dict, tuple, Mapping)):
        if depth == DEEPEST or next(room, None) is None:
            return None
        if isinstance(value, (list, tuple)):
            return [_valid_within(each, room, depth + 1) for each in value]
        return {
            _valid(str(key)): _valid_within(each, room, depth + 1) for key, each in value.items()
        }
    return value


def _valid(text: str) -> str:
    """Text that UTF-8 can hold."""
    return text if text.isascii() else _SURROGATE.sub(REPLACED, text)


def _invalid(key: str, found: str, expected: str) -> InvalidAlert:
    return InvalidAlert(f"{key} is {found}, expected {expected}")


def _shown(value: Any, longest: int = 80) -> str:
    """A value as an error may show it: its repr, short, on one line."""
    if isinstance(value, (str, bytes, bytearray)):
        value = value[: longest + 1]
    try:
        text = repr(value)
    except RecursionError:
        text = type(value).__name__
    return text if len(text) <= longest else text[:longest] + "..."
