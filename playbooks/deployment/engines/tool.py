"""The programs that deploy for engines: kubectl, and those of the clouds."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from typing import List, Optional, Sequence, Tuple

from playbooks.deployment.errors import DeploymentError
from playbooks.deployment.request.options import Options

KUBECTL = "https://kubernetes.io/docs/tasks/tools"


def kubectl(options: Options, *words: str) -> List[str]:
    """The command line, for the cluster that is meant."""
    where = ["--context", options.context] if options.context else []
    where += ["--kubeconfig", options.kubeconfig] if options.kubeconfig else []
    return ["kubectl", *where, *words]


def find(program: str, *, install: str) -> None:
    """``install``: where it comes from. Raises DeploymentError where it is not there."""
    if not shutil.which(program):
        raise DeploymentError(
            f"{program} is not on the PATH ({install}); -d prints what it would be given"
        )


def run(
    words: Sequence[str],
    *,
    install: str,
    text: Optional[str] = None,
    directory: Optional[str] = None,
) -> None:
    """What it says goes to the terminal. ``install``: where it comes from. ``text``: for its
    standard input. ``directory``: where it runs. Raises DeploymentError."""
    find(words[0], install=install)
    done = subprocess.run(list(words), input=text, text=True, cwd=directory, check=False)
    if done.returncode:
        raise DeploymentError(f"{words[0]} failed with exit code {done.returncode}")


def differs(options: Options, text: str, *words: str) -> bool:
    """Whether the cluster has these objects otherwise; kubectl prints how. Raises
    DeploymentError."""
    command = kubectl(options, "diff", *words, "-f", "-")
    find(command[0], install=KUBECTL)
    done = subprocess.run(command, input=text, text=True, check=False)
    if done.returncode not in (0, 1):
        raise DeploymentError(f"kubectl failed with exit code {done.returncode}")
    return done.returncode == 1


def heard(words: Sequence[str], *, install: str, directory: str) -> Tuple[int, str]:
    """Its exit code, and what it says, which is printed, too. Raises DeploymentError."""
    find(words[0], install=install)
    done = subprocess.run(
        list(words),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=directory,
        check=False,
    )
    print(done.stdout, end="", flush=True)
    return done.returncode, done.stdout


def asked(words: Sequence[str], *, install: str, but: str = "") -> str:
    """What it prints, without the line end at its end. ``but``: of its errors, the one that is
    none. Raises DeploymentError with what it says."""
    find(words[0], install=install)
    done = subprocess.run(list(words), text=True, capture_output=True, check=False)
    if done.returncode and not (but and but in done.stderr):
        said = f"{words[0]} failed with exit code {done.returncode}: {done.stderr.strip()}"
        raise DeploymentError(said)
    return done.stdout.strip()


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
