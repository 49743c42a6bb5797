"""Where a playbook outside of this package is declared, and what it declares."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from playbooks.core.errors import InvalidSetting
from playbooks.core.playbook import Playbook
from playbooks.core.settings import DNS_LABEL

NAMES = "lowercase letters, digits and '-' (RFC 1123 label)"


@dataclass(frozen=True)
class Source:
    """``module`` as it is imported, ``attribute`` the Playbook in it. ``root``: the directory from
    which it is imported. ``alone``: of that directory it brings its own top package only, since
    the others are somebody else's. ``origin``: what messages call it."""

    module: str
    attribute: str
    root: Path
    alone: bool
    origin: str

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
        except Exception as error:
            what = f"{type(error).__name__}: {error}"
            raise InvalidSetting(f"{self.origin} cannot be used: {what}") from error
        if not isinstance(declared, Playbook):
            raise InvalidSetting(
                f"{self.origin} declares no playbook: {self.attribute} is of"
                f" {type(declared).__name__}, expected a Playbook"
            )
        if not DNS_LABEL.fullmatch(declared.name):
            raise InvalidSetting(
                f"{self.origin} declares a playbook {declared.name!r}, expected a name of {NAMES}"
            )
        return declared

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
