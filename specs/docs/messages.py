"""Every text that the source of playbooks/ has, with a mark for each part that differs."""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from typing import AbstractSet, FrozenSet, Iterable, Iterator, List, Set

from specs.support.sources import PACKAGE, nodes_of

MARK = "\0"


@lru_cache(maxsize=None)
def templates() -> FrozenSet[str]:
    """Line by line. Docstrings are no texts that anybody is shown."""
    found: Set[str] = set()
    for path in sorted(PACKAGE.rglob("*.py")):
        nodes = nodes_of(path)
        for text in _texts(nodes, _docstrings(nodes)):
            found |= {line.strip() for line in text.split("\n")}
    return frozenset(found)


def is_printed(message: str, texts: AbstractSet[str]) -> bool:
    """Whether the source has this message: ``<...>`` stands for a part that differs, ``…`` for
    what is left out, which may be nothing."""
    pieces = re.split(r"(<[^<>]*>|…)", message)
    pattern = "".join(
        f"{MARK}+" if piece.startswith("<") else ".*" if piece == "…" else re.escape(piece)
        for piece in pieces
    )
    matches = re.compile(pattern, re.DOTALL).fullmatch
    longest = max((piece for piece in pieces if piece[:1] not in ("<", "…")), key=len)
    # Looking for it first takes a fifth of the time.
    return any(longest in text and matches(text) for text in texts)


def _texts(nodes: Iterable[ast.AST], skipped: Set[int]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.JoinedStr):
            skipped |= {id(part) for part in node.values}
            yield "".join(_parts(node))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            # What str.format fills in is marked too. Parts come after the whole.
            yield "" if id(node) in skipped else re.sub(r"\{\w*\}", MARK, node.value)


def _parts(joined: ast.JoinedStr) -> List[str]:
    return [str(p.value) if isinstance(p, ast.Constant) else MARK for p in joined.values]


def _docstrings(nodes: Iterable[ast.AST]) -> Set[int]:
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    found: Set[int] = set()
    for node in nodes:
        if isinstance(node, kinds) and node.body and isinstance(node.body[0], ast.Expr):
            found.add(id(node.body[0].value))
    return found
