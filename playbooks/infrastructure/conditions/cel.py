"""Conditions by cel-python, which only the extra ``cel`` installs: imported where WHEN is set, and
not before.

Source: https://github.com/cloud-custodian/cel-python, https://github.com/google/cel-spec
"""

from __future__ import annotations

import logging
from datetime import datetime, timezone
from typing import Any, Callable, Dict, Hashable, Mapping, Optional

from playbooks.core.alert import Alert
from playbooks.core.cluster.pod import Pod
from playbooks.core.errors import InvalidSetting
from playbooks.core.guards.when import PACKAGE, WHEN
from playbooks.core.ports import Condition, Judgement

MISSING = (
    f"{WHEN.name} is set, and {PACKAGE} is not installed: expected the extra cel, on Python 3.10"
    " or later (pip install -e '.[cel]')"
)

_ABSENT = (None, "<NA>")

# Judgements that are remembered, and characters of what they are of, at most.
MOST, LONGEST = 1000, 1000

# Tags that are looked through: each takes a third of a millisecond, and an alert has room for
# 100,000. Falco's rules have ten or so.
MOST_TAGS = 200


def condition(text: str) -> Condition:
    """Raises InvalidSetting, which says what of the text is not taken, and what was expected."""
    try:
        import celpy
        from celpy.celparser import CELParseError
    except ImportError as error:
        raise InvalidSetting(MISSING) from error
    from playbooks.infrastructure.conditions.checking import NoCondition, check
    from playbooks.infrastructure.conditions.functions import functions

    # It writes values of alerts into its log.
    log = logging.getLogger("celpy")
    log.propagate = False
    if not log.handlers:
        log.addHandler(logging.NullHandler())
    environment = celpy.Environment()
    try:
        tree = environment.compile(text)
    except CELParseError as error:
        where = f" at line {error.line}, column {error.column}" if error.line else " at its end"
        raise InvalidSetting(f"{WHEN.name} is no CEL: it cannot be read{where}") from error
    try:
        named = check(text, tree)
    except NoCondition as error:
        raise InvalidSetting(f"{WHEN.name}: {error}") from None
    return CelCondition(environment.program(tree, functions(named.patterns)), named)


class CelCondition(Condition):
    """``program``: of cel-python, which evaluates anew each time. ``named``: what it names."""

    def __init__(self, program: Any, named: Any) -> None:
        self._program = program
        self._named = named
        # What was found of the alert alone, by what it looks at: thousands may be alike.
        self._known: Dict[Hashable, Judgement] = {}

    @property
    def names_pod(self) -> bool:
        return bool(self._named.pod)

    def judge(self, alert: Alert, pod: Optional[Pod] = None) -> Judgement:
        if pod is not None:
            return self._judged(alert, pod)
        seen = self.seen(alert)
        found = self._known.get(seen)
        if found is None:
            found = self._judged(alert, None)
            if len(repr(seen)) <= LONGEST:
                if len(self._known) >= MOST:
                    self._known.clear()
                self._known[seen] = found
        return found

    def _judged(self, alert: Alert, pod: Optional[Pod]) -> Judgement:
        try:
            given = {
                "alert": self._alert(alert),
                "fields": self._fields(alert),
                "pod": self._pod(pod),
            }
            return Judgement(bool(self._program.evaluate(given)))
        except Exception:
            return Judgement(None, self._why(alert, pod))

    def seen(self, alert: Alert) -> Hashable:
        fields = (repr(alert.fields.get(name)) for name in sorted(self._named.fields))
        return (*(getattr(alert, name) for name in sorted(self._named.alert)), *fields)

    def _alert(self, alert: Alert) -> Any:
        from celpy import celtypes

        timestamp: Any = celtypes.TimestampType
        parts: Mapping[str, Callable[[], Any]] = {
            "priority": lambda: celtypes.StringType(str(alert.priority)),
            "rule": lambda: celtypes.StringType(alert.rule),
            "source": lambda: celtypes.StringType(alert.source),
            "hostname": lambda: celtypes.StringType(alert.hostname),
            "tags": lambda: celtypes.ListType([celtypes.StringType(tag) for tag in alert.tags]),
            "time": lambda: timestamp(datetime.fromtimestamp(alert.time.seconds, timezone.utc)),
        }
        left_out = {"tags"} if len(alert.tags) > MOST_TAGS else set()
        return _map({name: parts[name]() for name in {*self._named.alert} - left_out})

    def _fields(self, alert: Alert) -> Any:
        found = ((name, _value(alert.fields.get(name))) for name in self._named.fields)
        return _map({name: value for name, value in found if value is not None})

    def _pod(self, pod: Optional[Pod]) -> Any:
        """Empty where there is none: what is said of it is an error then."""
        if pod is None or not self._named.pod:
            return _map({})
        from celpy import celtypes

        text = celtypes.StringType
        owner = pod.owner
        found = {
            "namespace": text(pod.namespace),
            "labels": _map({key: text(value) for key, value in pod.labels.items()}),
            "owner": _map(
                {
                    "kind": text(owner.kind if owner else ""),
                    "name": text(owner.name if owner else ""),
                }
            ),
        }
        images = pod.images
        if images is not None:
            found["images"] = celtypes.ListType([text(image) for image in images])
        return _map(found)

    def _why(self, alert: Alert, pod: Optional[Pod]) -> str:
        """Why it cannot be told, in words that nobody but the operator wrote."""
        absent = [
            f"the alert has no field {name}"
            for name in sorted(self._named.fields)
            if _value(alert.fields.get(name)) is None
        ]
        if "tags" in self._named.alert and len(alert.tags) > MOST_TAGS:
            absent.append(f"the alert has more than {MOST_TAGS} tags")
        if self._named.pod and pod is None:
            absent.append("no pod is proven")
        elif pod is not None:
            absent += [
                f"{pod} has no label {name}"
                for name in sorted(self._named.labels)
                if name not in pod.labels
            ]
        return ", ".join(absent) or "a value is of another kind than it is compared with"


def _map(values: Mapping[str, Any]) -> Any:
    from celpy import celtypes

    return celtypes.MapType({celtypes.StringType(key): value for key, value in values.items()})


def _value(found: Any) -> Any:
    """None for what is absent, and for what is neither text, number nor bool."""
    from celpy import celtypes

    if found in _ABSENT:
        return None
    if isinstance(found, bool):
        return celtypes.BoolType(found)
    if isinstance(found, str):
        return celtypes.StringType(found)
    if isinstance(found, int) and -(2**63) <= found < 2**63:
        return celtypes.IntType(found)
    if isinstance(found, float):
        return celtypes.DoubleType(found)
    return None
