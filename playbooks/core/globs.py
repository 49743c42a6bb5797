"""Names and globs."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Optional, Sequence


def matching(name: str, globs: Sequence[str]) -> Optional[str]:
    """The first of the globs that the name matches, or None."""
    return next((glob for glob in globs if fnmatchcase(name, glob)), None)


def matches_any(name: str, globs: Sequence[str]) -> bool:
    """Whether the name is one of the globs'; none of them means no limit."""
    return not globs or matching(name, globs) is not None


def is_name(glob: str) -> bool:
    """Whether it stands for one name only."""
    return not set(glob) & set("*?[")
