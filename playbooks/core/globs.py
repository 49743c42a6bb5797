"""Names and globs."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Sequence


def matches_any(name: str, globs: Sequence[str]) -> bool:
    """Whether the name is one of the globs'; none of them means no limit."""
    return not globs or any(fnmatchcase(name, glob) for glob in globs)


def is_name(glob: str) -> bool:
    """Whether it stands for one name only."""
    return not set(glob) & set("*?[")
