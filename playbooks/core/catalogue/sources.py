"""Where a playbook is declared, in a module of this package, in a file, or in an installed package,
and what it declares."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from traceback import extract_tb

from playbooks.core.catalogue import declarations
from playbooks.core.errors import InvalidSetting
from playbooks.core.playbook import Playbook
from playbooks.core.settings import DNS_LABEL

# What a file calls its playbook.
ATTRIBUTE = "playbook"

NAMES = "lowercase letters, digits and '-' (RFC 1123 label)"


@dataclass(frozen=True)
class Source:
    """``module`` as it is imported, ``attribute`` the Playbook in it. ``root``: the directory from
    which it is imported. ``alone``: of that directory it brings its own top package only, since
    the others are somebody else's. ``origin``: what messages call it. ``name``: that of the
    playbook, where it is known before it is loaded."""

    module: str
    attribute: str
    root: Path
    alone: bool
    origin: str
    name: str = ""

    @property
    def top(self) -> str:
        """The top package, or the only module."""
        return self.module.partition(".")[0]

    @property
    def path(self) -> Path:
        """The file of the module."""
        path = self.root.joinpath(*self.module.split("."))
        return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")

    def playbook(self) -> Playbook:
        """Imports the module. Raises InvalidSetting, whatever that raises."""
        try:
            declared = getattr(import_module(self.module), self.attribute)
        except (Exception, SystemExit) as error:
            what = f"{type(error).__name__}: {error}{self._place(error)}"
            raise InvalidSetting(f"{self.origin} cannot be used: {what}") from error
        if not isinstance(declared, Playbook):
            raise InvalidSetting(
                f"{self.origin} declares no playbook: {self.attribute} is of"
                f" {type(declared).__name__}, expected a Playbook"
            )
        if self.name and declared.name != self.name:
            raise InvalidSetting(
                f"{self.origin} declares the playbook {declared.name}, expected {self.name}"
            )
        if not self.name and not DNS_LABEL.fullmatch(declared.name):
            raise InvalidSetting(
                f"{self.origin} declares a playbook {declared.name!r}, expected a name of {NAMES}"
            )
        wrong = declarations.problem(declared)
        if wrong:
            raise InvalidSetting(f"{self.origin} {wrong}")
        return declared

    def _place(self, error: BaseException) -> str:
        """The last line of its own files that was running; that of a SyntaxError says itself."""
        frames = [
            each
            for each in extract_tb(error.__traceback__)
            if self.root in Path(each.filename).parents and each.filename != __file__
        ]
        if isinstance(error, SyntaxError) or not frames:
            return ""
        return f" ({frames[-1].filename}, line {frames[-1].lineno})"

    def summary(self) -> str:
        """The first line of the module's docstring."""
        return (import_module(self.module).__doc__ or "").strip().partition("\n")[0]


def path_of(module: str) -> Path:
    """The file from which Python would import it. Raises ImportError where there is none."""
    try:
        found = find_spec(module)
    except ValueError as error:  # of a program that runs, which has no such file
        raise ImportError(str(error)) from error
    if found is None or not found.origin:
        raise ImportError(f"No module named {module!r}")
    return Path(found.origin)


def is_path(typed: str) -> bool:
    """Whether it is meant as a file's: no name of a playbook has a slash, or ends in ``.py``."""
    return typed.endswith(".py") or len(Path(typed).parts) > 1


def of_file(path: Path) -> Source:
    """The playbook of a file, whose directory is where it imports its own modules from, as a
    program's. It comes last where Python looks for modules: nothing in it takes the place of what
    is installed. Raises InvalidSetting."""
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
