"""The programs that deploy for engines: kubectl, and those of the clouds."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from typing import List, Optional, Sequence

from playbooks.deployment.errors import DeploymentError


def run(words: Sequence[str], *, install: str, text: Optional[str] = None) -> None:
    """What it says goes to the terminal. ``install``: where it comes from. ``text``: for its
    standard input. Raises DeploymentError."""
    if not shutil.which(words[0]):
        raise DeploymentError(
            f"{words[0]} is not on the PATH ({install}); -d prints what it would be given"
        )
    done = subprocess.run(list(words), input=text, text=True, check=False)
    if done.returncode:
        raise DeploymentError(f"{words[0]} failed with exit code {done.returncode}")


def shown(words: Sequence[str]) -> str:
    """As one types it: an option a line."""
    lines: List[str] = []
    line: List[str] = []
    for word in words:
        if word.startswith("--") and line:
            lines.append(shlex.join(line))
            line = []
        line.append(word)
    return " \\\n  ".join([*lines, shlex.join(line)])
