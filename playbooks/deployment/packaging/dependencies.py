"""What a function installs: one pinned list for each distribution that a playbook names.

``requirements/<distribution>.txt`` holds the distribution and everything it needs, pinned, as pip
resolves it on Python 3.8, the oldest that playbooks run on, or on the oldest that it runs on itself
(``_OLDEST``); newer ones install the same. Those that need nothing else are lines of
``requirements/standalone.txt``. What only some functions need lies in a directory beneath, and what
only playbooks of one's own need in ``own``. A line ``name<=version`` pins what others of its list
take no newer: it goes before the pins of other lists. A playbook outside of this package may name a
pinned distribution itself, ``dnspython==2.6.1``, and then names all that it needs.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Dict, Iterable, List, Mapping, Tuple

from playbooks.deployment.errors import DeploymentError

# The minor version of Python 3 that a distribution needs, where that is newer.
_OLDEST = {"cel-python": 10}

# The list of those that need nothing else.
STANDALONE = "standalone"

DIRECTORY = Path(__file__).with_name("requirements")


def requirements(packages: Iterable[str], directory: Path = DIRECTORY) -> str:
    """The text of a requirements.txt, each distribution once, by name."""
    lines = [line for package in packages for line in _lines(package, directory)]
    limits = _merged(line.partition("<=") for line in lines if "<=" in line)
    pins = _merged(line.partition("==") for line in lines if _name(line) not in limits)
    return "".join(f"{name}=={version}\n" for name, version in sorted({**pins, **limits}.items()))


def too_old(packages: Iterable[str], minor: int) -> List[str]:
    """What of these does not run on Python 3 of this minor version, and what does."""
    return [
        f"{package}, which these settings install, needs Python 3.{_OLDEST[package]} or later, not"
        f" 3.{minor}"
        for package in packages
        if minor < _OLDEST.get(package, 0)
    ]


def _lines(package: str, directory: Path) -> List[str]:
    if "==" in package:
        return [package]
    lists = _lists(directory)
    alone = [line for line in lists.get(STANDALONE, ()) if _name(line) == package]
    found = lists.get(package, alone)
    if not found:
        raise DeploymentError(
            f"nothing says what the package {package} needs: expected one version of it, such as"
            f" {package}==1.2.3, and of each that it needs in turn"
        )
    return found


@lru_cache(maxsize=None)
def _lists(directory: Path) -> Mapping[str, List[str]]:
    """The lines of each list, by its name."""
    return {
        path.stem: path.read_text(encoding="utf-8").split() for path in directory.rglob("*.txt")
    }


def _merged(pins: Iterable[Tuple[str, str, str]]) -> Dict[str, str]:
    merged: Dict[str, str] = {}
    for name, _, version in pins:
        if merged.setdefault(name, version) != version:
            raise DeploymentError(
                f"the playbook's packages want {name} {merged[name]} and {version}"
            )
    return merged


def _name(line: str) -> str:
    return line.replace("<=", "==").partition("==")[0]
