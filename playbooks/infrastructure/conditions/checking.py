"""Whether a condition is in the part of CEL that means the same here as in Kubernetes.

What is refused here either means something else with cel-python (arithmetic, ``has``), is an
error as soon as it is evaluated (an unknown name), can never hold (text compared with a number),
or could take longer than what it looks at is long (a pattern that an alert brings along).
"""

from __future__ import annotations

import re
from typing import Any, Callable, Dict, FrozenSet, List, Mapping, Optional, Set, Tuple

import lark
from celpy.evaluation import celstr
from zoneinfo import ZoneInfo

from playbooks.core.instant import instant_or_none
from playbooks.core.subjects import Priority
from playbooks.infrastructure.conditions.functions import address, network, pattern

# Types. ANY is that of an output field, which is known with the alert only.
TEXT, NUMBER, BOOL, TIME, PRIORITY = "text", "a number", "true or false", "a time", "a priority"
TEXTS, NUMBERS, MAP, OWNER = "a list of text", "a list of numbers", "a map", "an owner"
IP, NETWORK, ANY, ALERT, POD = "an IP address", "a network", "any value", "an alert", "a pod"

NAMES = {"alert": ALERT, "fields": MAP, "pod": POD}
PARTS: Mapping[str, Mapping[str, str]] = {
    ALERT: {
        "priority": PRIORITY,
        "rule": TEXT,
        "source": TEXT,
        "tags": TEXTS,
        "hostname": TEXT,
        "time": TIME,
    },
    POD: {"namespace": TEXT, "labels": MAP, "owner": OWNER, "images": TEXTS},
    OWNER: {"kind": TEXT, "name": TEXT},
}

# How deep the tree of a condition may be: evaluation takes some frames of the stack for each.
DEEPEST = 400

# Escapes that every implementation reads alike.
_ESCAPES = re.compile(r"""[^\\]|\\[\\"'nrt]""")

# With one child these only say that there is nothing of their kind.
_PLAIN = {
    *("expr", "conditionalor", "conditionaland", "relation", "addition", "multiplication"),
    *("unary", "member", "primary", "paren_expr"),
}


class NoCondition(Exception):
    """The condition is refused; the message says what of it, and what was expected."""


class Named:
    """What a condition names: ``alert`` parts of the alert, ``fields`` output fields, ``labels``
    labels that have to be there, ``pod`` whether anything of the pod; ``patterns`` of matches."""

    def __init__(self) -> None:
        self.alert: Set[str] = set()
        self.fields: Set[str] = set()
        self.labels: Set[str] = set()
        self.pod = False
        self.patterns: Set[str] = set()


def check(text: str, tree: lark.Tree[Any]) -> Named:
    """``tree``: of the text. Raises NoCondition."""
    if _depth(tree) > DEEPEST:
        raise NoCondition("it is nested too deep")
    checker = _Checker(text)
    checker.expect(tree, BOOL)
    return checker.named


def _depth(tree: lark.Tree[Any]) -> int:
    deepest, waiting = 0, [(tree, 1)]
    while waiting:
        found, depth = waiting.pop()
        deepest = max(deepest, depth)
        waiting += [(c, depth + 1) for c in found.children if isinstance(c, lark.Tree)]
    return deepest


class _Checker:
    def __init__(self, text: str) -> None:
        self.named = Named()
        self._text = text
        # The variable of the macro around.
        self._variable: Optional[Tuple[str, str]] = None

    def expect(self, tree: lark.Tree[Any], *types: str) -> str:
        found = self.type_of(tree)
        if found not in types:
            wanted = " or ".join(types)
            raise NoCondition(f"{self._shown(tree)} is {found}, expected {wanted}")
        return found

    def type_of(self, tree: lark.Tree[Any]) -> str:
        tree = _bare(tree)
        found: Optional[Callable[..., str]] = getattr(self, f"_{tree.data}", None)
        if found is None:
            raise NoCondition(f"{self._shown(tree)} is not taken: {_INSTEAD.get(tree.data, _ELSE)}")
        return found(tree, *tree.children)

    def _shown(self, tree: lark.Tree[Any]) -> str:
        meta = tree.meta
        said = "" if meta.empty else self._text[meta.start_pos : meta.end_pos]
        return repr(said if len(said) <= 80 else said[:80] + "...") if said else str(tree.data)

    def _conditionalor(self, _: lark.Tree[Any], left: Any, right: Any) -> str:
        self.expect(left.children[0] if left.data.endswith("_") else left, BOOL)
        self.expect(right, BOOL)
        return BOOL

    _conditionaland = _conditionalor

    def _unary(self, tree: lark.Tree[Any], sign: lark.Tree[Any], operand: Any) -> str:
        if sign.data != "unary_not":
            raise NoCondition(f"{self._shown(tree)} is not taken: {_INSTEAD['addition']}")
        return self.expect(operand, BOOL)

    def _relation(self, tree: lark.Tree[Any], left: lark.Tree[Any], right: Any) -> str:
        kind, left = str(left.data), left.children[0]
        if kind == "relation_in":
            return self._in(tree, left, right)
        one, other = self.type_of(left), self.type_of(right)
        if kind in ("relation_eq", "relation_ne"):
            self._equality(tree, (one, left), (other, right))
        elif {one, other} not in ({NUMBER}, {NUMBER, ANY}, {TIME}):
            advice = "; MINIMUM_PRIORITY compares priorities" if PRIORITY in (one, other) else ""
            raise NoCondition(
                f"{self._shown(tree)} compares {one} with {other}, expected numbers or times"
                f"{advice}"
            )
        return BOOL

    def _equality(
        self, tree: lark.Tree[Any], left: Tuple[str, Any], right: Tuple[str, Any]
    ) -> None:
        types = {left[0], right[0]}
        if types == {PRIORITY, TEXT}:
            for found, side in (left, right):
                if found == TEXT:
                    self._priorities([self._literal_text(side)])
            return
        ordinary = {TEXT, NUMBER, BOOL}
        same = len(types) == 1 and types <= {*ordinary, TIME, PRIORITY, IP, ANY}
        if not same and not (ANY in types and types - {ANY} <= ordinary):
            raise NoCondition(
                f"{self._shown(tree)} compares {left[0]} with {right[0]}: it never holds"
            )

    def _in(self, tree: lark.Tree[Any], left: Any, right: Any) -> str:
        item, container = self.type_of(left), self.type_of(right)
        if item == PRIORITY and container == TEXTS:
            listed = _bare(right)
            if listed.data != "list_lit":
                raise NoCondition(f"{self._shown(tree)} expects a list of priorities")
            self._priorities([self._literal_text(each) for each in _listed(listed)])
            return BOOL
        if container == MAP:
            key = self._literal_text(left)
            if _bare(right).data == "ident":
                self.named.fields.add(key)
            return BOOL
        wanted = {TEXTS: (TEXT, ANY), NUMBERS: (NUMBER, ANY)}.get(container)
        if not wanted:
            raise NoCondition(f"{self._shown(right)} is {container}, expected a list or a map")
        if item not in wanted:
            raise NoCondition(
                f"{self._shown(tree)} looks for {item} in {container}: it never holds"
            )
        return BOOL

    @staticmethod
    def _priorities(given: List[str]) -> None:
        known = [str(priority) for priority in reversed(Priority)]
        for name in given:
            if name not in known:
                raise NoCondition(f"{name!r} is no priority, expected one of {', '.join(known)}")

    def _ident(self, _: lark.Tree[Any], name: lark.Token) -> str:
        if self._variable and name == self._variable[0]:
            return self._variable[1]
        if name not in NAMES:
            raise NoCondition(f"there is no {name}, expected one of {', '.join(NAMES)}")
        if name == "pod":
            self.named.pod = True
        return NAMES[name]

    def _member_dot(self, tree: lark.Tree[Any], member: Any, name: lark.Token) -> str:
        of = self.type_of(member)
        if of == MAP:
            if _bare(member).data == "ident":
                raise NoCondition(f'{self._shown(tree)} is not taken: fields["{name}"]')
            self.named.labels.add(str(name))
            return TEXT
        parts = PARTS.get(of)
        if parts is None or name not in parts:
            known = f"expected one of {', '.join(parts)}" if parts else f"it is {of}"
            hint = ', or fields["..."] for output fields' if of == ALERT else ""
            raise NoCondition(f"there is no {name} of {self._shown(member)}: {known}{hint}")
        if of == ALERT:
            self.named.alert.add(str(name))
        return parts[name]

    def _member_index(self, tree: lark.Tree[Any], member: Any, index: Any) -> str:
        of = self.type_of(member)
        if of != MAP:
            raise NoCondition(f"{self._shown(tree)} is not taken: use in, exists or all")
        key = self._literal_text(index)
        if _bare(member).data == "ident":
            self.named.fields.add(key)
            return ANY
        self.named.labels.add(key)
        return TEXT

    def _member_dot_arg(
        self,
        tree: lark.Tree[Any],
        member: Any,
        name: lark.Token,
        arguments: Optional[lark.Tree[Any]] = None,
    ) -> str:
        given = list(arguments.children) if arguments else []
        of = self.type_of(member)
        if name in ("exists", "all") and of in (TEXTS, NUMBERS):
            return self._macro(tree, of, given)
        methods = _METHODS.get(TEXT if of == ANY else of, {})
        if name not in methods:
            known = ", ".join(methods) or "none"
            raise NoCondition(f"there is no function {name} of {of}, expected one of {known}")
        return self._called(tree, methods[name], given)

    def _ident_arg(
        self, tree: lark.Tree[Any], name: lark.Token, arguments: Optional[lark.Tree[Any]] = None
    ) -> str:
        if name not in _FUNCTIONS:
            instead = _INSTEAD.get(str(name), f"expected one of {', '.join(_FUNCTIONS)}")
            raise NoCondition(f"there is no function {name}: {instead}")
        given = list(arguments.children) if arguments else []
        return self._called(tree, _FUNCTIONS[name], given)

    def _called(self, tree: lark.Tree[Any], signature: Tuple[Any, ...], given: List[Any]) -> str:
        result, least, wanted, literal = signature
        if not least <= len(given) <= len(wanted):
            raise NoCondition(f"{self._shown(tree)} has {len(given)} arguments, expected {least}")
        for argument, types in zip(given, wanted):
            self.expect(argument, *types)
            if literal and (literal in _ALWAYS or _bare(argument).data == "literal"):
                text = self._literal_text(argument)
                try:
                    literal(text)
                except Exception as error:
                    raise NoCondition(f"{self._shown(argument)} cannot be used: {error}") from None
                if literal is pattern:
                    self.named.patterns.add(text)
        return str(result)

    def _macro(self, tree: lark.Tree[Any], of: str, given: List[Any]) -> str:
        variable = _bare(given[0]) if len(given) == 2 else tree
        if variable.data != "ident":
            raise NoCondition(
                f"{self._shown(tree)} expects a name and a condition: exists(x, x == 'a')"
            )
        if self._variable:
            raise NoCondition(
                f"{self._shown(tree)} is in another exists or all, which is not taken"
            )
        name = str(variable.children[0])
        if name in NAMES:
            raise NoCondition(
                f"{name} is a name already, expected another one in {self._shown(tree)}"
            )
        self._variable = name, TEXT if of == TEXTS else NUMBER
        self.expect(given[1], BOOL)
        self._variable = None
        return BOOL

    def _list_lit(self, tree: lark.Tree[Any], *_: Any) -> str:
        types = {self.type_of(each) for each in _listed(tree)}
        if types == {TEXT}:
            return TEXTS
        if types == {NUMBER}:
            return NUMBERS
        found = " and ".join(sorted(types)) or "nothing"
        raise NoCondition(
            f"{self._shown(tree)} is a list of {found}, expected text or numbers alone"
        )

    def _literal(self, tree: lark.Tree[Any], token: lark.Token) -> str:
        if token.type in ("STRING_LIT", "MLSTRING_LIT"):
            self._literal_text(tree)
            return TEXT
        if token.type == "INT_LIT" and -(2**63) <= int(token, 0) < 2**63:
            return NUMBER
        if token.type == "BOOL_LIT":
            return BOOL
        raise NoCondition(
            f"{self._shown(tree)} is not taken: expected text, a whole number or a bool"
        )

    def _literal_text(self, tree: Any) -> str:
        tree = _bare(tree)
        token = tree.children[0] if tree.data == "literal" else None
        if token is None or token.type not in ("STRING_LIT", "MLSTRING_LIT"):
            raise NoCondition(f"{self._shown(tree)} is not taken here: expected text in quotes")
        quoted = str(token)
        if quoted[0] not in "rR" and _ESCAPES.sub("", quoted):
            raise NoCondition(
                f"{quoted} has an escape that is not taken: expected \\\\, \\\", \\', \\n, \\r or"
                ' \\t, or r"..." where it is a pattern'
            )
        return str(celstr(token))


def _listed(tree: lark.Tree[Any]) -> List[Any]:
    return [each for part in tree.children if part for each in part.children]


def _bare(tree: Any) -> lark.Tree[Any]:
    while tree.data in _PLAIN and len(tree.children) == 1:
        tree = tree.children[0]
    return tree  # type: ignore[no-any-return]


def _time(text: str) -> None:
    if instant_or_none(text) is None:
        raise ValueError("expected an RFC 3339 time such as 2026-01-02T03:04:05Z")


# What literals among the arguments have to be. Those in _ALWAYS take nothing but literals.
_ALWAYS: FrozenSet[Callable[[str], Any]] = frozenset((pattern, network, _time, ZoneInfo))

_SOME_TEXT = (TEXT, ANY)
_HOUR = (NUMBER, 0, ((TEXT,),), ZoneInfo)

# By type and name: the result, how many arguments at least, their types, and what a literal is.
_METHODS: Dict[str, Dict[str, Tuple[Any, ...]]] = {
    TEXT: {
        "startsWith": (BOOL, 1, (_SOME_TEXT,), None),
        "endsWith": (BOOL, 1, (_SOME_TEXT,), None),
        "contains": (BOOL, 1, (_SOME_TEXT,), None),
        "matches": (BOOL, 1, ((TEXT,),), pattern),
        "size": (NUMBER, 0, (), None),
    },
    TEXTS: {"size": (NUMBER, 0, (), None), "exists": (), "all": ()},
    NUMBERS: {"exists": (), "all": ()},
    TIME: {"getHours": _HOUR, "getMinutes": _HOUR, "getDayOfWeek": _HOUR},
    IP: {"family": (NUMBER, 0, (), None)},
    NETWORK: {"containsIP": (BOOL, 1, ((TEXT, ANY, IP),), address)},
}
_FUNCTIONS: Dict[str, Tuple[Any, ...]] = {
    "size": (NUMBER, 1, ((TEXT, TEXTS, ANY),), None),
    "ip": (IP, 1, (_SOME_TEXT,), address),
    "isIP": (BOOL, 1, (_SOME_TEXT,), None),
    "cidr": (NETWORK, 1, ((TEXT,),), network),
    "timestamp": (TIME, 1, ((TEXT,),), _time),
}

_ELSE = "docs/conditions.md has what is"
_INSTEAD = {
    "addition": "there is no arithmetic",
    "multiplication": "there is no arithmetic",
    "expr": "write (a && b) || (!a && c) instead of a ? b : c",
    "has": 'write "name" in fields, or "name" in pod.labels',
}
