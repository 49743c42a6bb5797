"""What is written as labels and annotations: values that may name fields of the alert."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Callable, Mapping, Optional, Tuple

from playbooks.core.alert import Alert
from playbooks.core.containment.labeling import is_reserved
from playbooks.core.settings import label_value, qualified_name, rule_names
from playbooks.core.subjects import slug

# Keys at most: what was there before is kept of each.
MOST = 10

# What Kubernetes takes as a label, and characters of an annotation.
LONGEST_LABEL, LONGEST_ANNOTATION = 63, 250

_FIELDS: Mapping[str, Callable[[Alert], str]] = {
    "rule": lambda alert: alert.rule,
    "priority": lambda alert: str(alert.priority),
    "source": lambda alert: alert.source,
}

_FIELD = re.compile(r"\{([^{}]*)\}")

# What a field becomes that has no letter or digit: an empty value would take the key off.
_NOTHING = "unnamed"


@dataclass(frozen=True)
class Assignment:
    """``template`` is empty where the key is to be taken off. ``longest``: characters."""

    key: str
    template: str
    longest: int

    def value(self, alert: Alert) -> Optional[str]:
        """None: the key is taken off. Whatever the alert says, it is a value that the API takes."""
        if not self.template:
            return None

        def field(match: re.Match[str]) -> str:
            return slug(_FIELDS[match[1]](alert)) or _NOTHING

        return _FIELD.sub(field, self.template)[: self.longest].rstrip("._- ")

    def __str__(self) -> str:
        return f"{self.key}={self.template}"


def label_assignments(value: str) -> Tuple[Assignment, ...]:
    return _assignments(value, LONGEST_LABEL, label_value)


def annotation_assignments(value: str) -> Tuple[Assignment, ...]:
    return _assignments(value, LONGEST_ANNOTATION, _annotation)


def _annotation(value: str) -> str:
    if len(value) > LONGEST_ANNOTATION or not value.isprintable():
        raise ValueError(f"at most {LONGEST_ANNOTATION} printable characters")
    return value


def _assignments(value: str, longest: int, check: Callable[[str], str]) -> Tuple[Assignment, ...]:
    found = tuple(_assignment(part, longest, check) for part in rule_names(value))
    keys = [each.key for each in found]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise ValueError(f"each key once, not {', '.join(twice)} twice")
    if len(found) > MOST:
        raise ValueError(f"at most {MOST} keys")
    return found


def _assignment(part: str, longest: int, check: Callable[[str], str]) -> Assignment:
    key, equals, template = part.partition("=")
    if not equals:
        raise ValueError(f"key=value, comma-separated, not {part!r}")
    qualified_name(key)
    if is_reserved(key):
        raise ValueError(f"a key other than {key}, by which playbooks know what they contain")
    unknown = sorted(set(_FIELD.findall(template)) - set(_FIELDS))
    if unknown:
        known = ", ".join(f"{{{name}}}" for name in _FIELDS)
        raise ValueError(f"{known} and no other field, not {{{unknown[0]}}}")
    try:
        check(_FIELD.sub("x", template))
    except ValueError as error:
        raise ValueError(f"of {key}: {error}") from None
    return Assignment(key, template, longest)
