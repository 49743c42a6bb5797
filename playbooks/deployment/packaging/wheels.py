"""What a function installs, as files of its archive: for engines that install nothing themselves.

pip downloads it for the machine that the function runs on, whatever this one is.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Dict, List

from playbooks.deployment.errors import DeploymentError

# What says where and when something was installed, which is another text each time.
_NOTES = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")

_OPTIONS = (
    *("--quiet", "--disable-pip-version-check", "--no-input", "--no-compile", "--no-deps"),
    *("--only-binary", ":all:", "--implementation", "cp"),
)


def command(python: str, machine: str, target: str, requirements: str) -> List[str]:
    """``python``: its version, such as 3.12. ``machine``: such as x86_64, with a glibc not older
    than 2.28."""
    platforms = [f"manylinux{name}_{machine}" for name in ("2014", "_2_17", "_2_28")]
    given = [word for platform in platforms for word in ("--platform", platform)]
    words = ["-m", "pip", "install", *_OPTIONS, "--python-version", python, *given]
    return ["python3", *words, "--target", target, "-r", requirements]


def installed(requirements: str, python: str, machine: str) -> Dict[str, bytes]:
    """By path, the same for the same requirements. Raises DeploymentError with what pip says."""
    if not requirements:
        return {}
    with tempfile.TemporaryDirectory() as directory:
        listed, target = Path(directory, "requirements.txt"), Path(directory, "packages")
        listed.write_text(requirements, "utf-8")
        _, *words = command(python, machine, str(target), str(listed))
        done = subprocess.run(
            [sys.executable, *words],
            capture_output=True,
            text=True,
            check=False,
            # Also where this machine's pip may install into environments only.
            env={**os.environ, "PIP_REQUIRE_VIRTUALENV": "0"},
        )
        if done.returncode:
            raise DeploymentError(f"pip failed with exit code {done.returncode}: {done.stderr}")
        return {
            path.relative_to(target).as_posix(): path.read_bytes()
            for path in target.rglob("*")
            if path.is_file() and not _left_out(path.relative_to(target))
        }


def _left_out(path: Path) -> bool:
    """Also programs, whose first line names this machine's Python."""
    noted = path.parent.suffix == ".dist-info" and path.name in _NOTES
    return noted or path.parts[0] == "bin" or path.suffix == ".pyc"
