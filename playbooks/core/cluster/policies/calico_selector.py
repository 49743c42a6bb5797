"""Calico's selectors: expressions about labels.

Source: https://docs.tigera.io/calico/latest/reference/resources/networkpolicy#selectors
"""

from __future__ import annotations

import re
from typing import Callable, List, Optional, Set, Tuple

from playbooks.core.cluster.policies.reading import Tristate, every, opposite, some

# The value of a label, or None where there is none of this key. Raises LookupError where that is
# not known.
Look = Callable[[str], Optional[str]]
Test = Callable[[Look], Tristate]

# Characters, and parentheses in each other: more of them than anybody writes.
_LONGEST, _DEEPEST = 8192, 40

_TOKEN = re.compile(
    r"""\s*(?:(?P<sign>&&|\|\||==|!=|[!(){},])|"(?P<double>[^"]*)"|'(?P<single>[^']*)'"""
    r"""|(?P<name>[A-Za-z0-9_./-]+))""",
    re.ASCII,
)


class CalicoSelector:
    """Raises ValueError for what is none. An empty one selects everything."""

    def __init__(self, text: str) -> None:
        if len(text) > _LONGEST:
            raise ValueError(f"a selector of at most {_LONGEST} characters")
        self.keys: Set[str] = set()
        self._tokens = _tokens(text)
        self._depth = 0
        self._test: Test = self._either() if self._tokens else lambda _: True
        if self._tokens:
            raise ValueError(f"{text!r} does not end where it should")

    def selects(self, look: Look) -> Tristate:
        return self._test(look)

    def _either(self) -> Test:
        found = [self._both()]
        while self._took("||"):
            found.append(self._both())
        return lambda look: some(test(look) for test in found)

    def _both(self) -> Test:
        found = [self._one()]
        while self._took("&&"):
            found.append(self._one())
        return lambda look: every(test(look) for test in found)

    def _one(self) -> Test:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ValueError("a selector that is less deep")
        try:
            if self._took("!"):
                negated = self._one()
                return lambda look: opposite(negated(look))
            if self._took("("):
                inner = self._either()
                self._must(")")
                return inner
            return self._about(self._name())
        finally:
            self._depth -= 1

    def _about(self, name: str) -> Test:
        if name in ("all", "global", "has") and self._took("("):
            if name != "has":
                self._must(")")
                return lambda _: name == "all"
            key = self._key()
            self._must(")")
            return _asking(key, lambda value: value is not None)
        self.keys.add(name)
        return _asking(name, self._comparison())

    def _comparison(self) -> Callable[[Optional[str]], bool]:
        if self._took("=="):
            equal = self._text()
            return lambda value: value == equal
        if self._took("!="):
            other = self._text()
            return lambda value: value != other
        word = self._name()
        if word == "not":
            self._word("in")
            none_of = self._texts()
            return lambda value: value not in none_of
        if word == "in":
            one_of = self._texts()
            return lambda value: value in one_of
        if word == "contains":
            part = self._text()
            return lambda value: value is not None and part in value
        if word in ("starts", "ends"):
            self._word("with")
            end = self._text()
            if word == "starts":
                return lambda value: value is not None and value.startswith(end)
            return lambda value: value is not None and value.endswith(end)
        raise ValueError(f"{word} is no comparison")

    def _texts(self) -> List[str]:
        self._must("{")
        found = []
        while not self._took("}"):
            found.append(self._text())
            self._took(",")
        return found

    def _key(self) -> str:
        key = self._name()
        self.keys.add(key)
        return key

    def _took(self, sign: str) -> bool:
        if self._tokens and self._tokens[0] == ("sign", sign):
            self._tokens.pop(0)
            return True
        return False

    def _must(self, sign: str) -> None:
        if not self._took(sign):
            raise ValueError(f"expected {sign}")

    def _word(self, word: str) -> None:
        if self._name() != word:
            raise ValueError(f"expected {word}")

    def _name(self) -> str:
        return self._next("name")

    def _text(self) -> str:
        return self._next("text")

    def _next(self, what: str) -> str:
        if not self._tokens or self._tokens[0][0] != what:
            raise ValueError(f"expected a {what}")
        return self._tokens.pop(0)[1]


def _asking(key: str, holds: Callable[[Optional[str]], bool]) -> Test:
    def test(look: Look) -> Tristate:
        try:
            return holds(look(key))
        except LookupError:
            return None

    return test


def _tokens(text: str) -> List[Tuple[str, str]]:
    found, at, text = [], 0, text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ValueError(f"{text!r} is no selector")
        kind = str(match.lastgroup)
        found.append(("text" if kind in ("single", "double") else kind, match[kind]))
        at = match.end()
    return found
