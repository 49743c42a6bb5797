"""What a function installs: one pinned list for each distribution that a playbook names.

``requirements/<distribution>.txt`` holds the distribution and everything it needs, pinned, as pip
resolves it on Python 3.8, the oldest that playbooks run on; newer ones install the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Iterable

from playbooks.deployment.errors import DeploymentError

DIRECTORY = Path(__file__).with_name("requirements")


def requirements(packages: Iterable[str], directory: Path = DIRECTORY) -> str:
    """The text of a requirements.txt, each distribution once, by name."""
    pinned: Dict[str, str] = {}
    for package in packages:
        path = directory / f"{package}.txt"
        if not path.is_file():
            raise DeploymentError(f"nothing says what {package} needs: {path} is not there")
        for line in path.read_text(encoding="utf-8").split():
            name, _, version = line.partition("==")
            if pinned.setdefault(name, version) != version:
                raise DeploymentError(
                    f"the playbook's packages want {name} {pinned[name]} and {version}"
                )
    return "".join(f"{name}=={version}\n" for name, version in sorted(pinned.items()))
