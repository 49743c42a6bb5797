"""A playbook in a file: its directory is where it imports its own modules from, as a program's."""

from __future__ import annotations

import sys
from pathlib import Path

from playbooks.core.errors import InvalidSetting
from playbooks.core.external.source import Source, path_of

ATTRIBUTE = "playbook"


def is_path(typed: str) -> bool:
    """Whether it is meant as a file's: no name of a playbook has a slash, or ends in ``.py``."""
    return typed.endswith(".py") or len(Path(typed).parts) > 1


def of_file(path: Path) -> Source:
    """Its directory comes last where Python looks for modules: nothing in it takes the place of
    what is installed. Raises InvalidSetting."""
    if not path.is_file():
        raise InvalidSetting(f"there is no playbook {path}: there is no such file")
    if path.suffix != ".py" or not path.stem.isidentifier():
        raise InvalidSetting(
            f"{path} cannot be imported: expected letters, digits and '_', and .py, as its name"
        )
    directory = str(path.resolve().parent)
    if directory not in sys.path:
        sys.path.append(directory)
    try:
        found = path_of(path.stem)
    except ImportError as error:
        raise InvalidSetting(f"{path} cannot be used: {error}") from error
    if not found.is_file() or found.resolve() != path.resolve():
        raise InvalidSetting(
            f"{path} cannot be imported: {path.stem} is another module of this Python ({found}):"
            " rename the file"
        )
    return Source(path.stem, ATTRIBUTE, path.resolve().parent, False, str(path))
