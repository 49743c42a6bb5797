"""The programs that deploy for engines: kubectl, and those of the clouds."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import List, Mapping, Optional, Sequence

from playbooks.core.cluster.manifest import Manifest
from playbooks.deployment.errors import DeploymentError
from playbooks.deployment.request.options import Options
from playbooks.deployment.terminal import documents


@dataclass(frozen=True)
class Program:
    """``install``: where it comes from. Where it is not there, everything that runs it raises
    DeploymentError."""

    name: str
    install: str

    def find(self) -> None:
        if not shutil.which(self.name):
            raise DeploymentError(
                f"{self.name} is not on the PATH ({self.install}); -d prints what it would be given"
            )

    def run(
        self,
        words: Sequence[str],
        *,
        text: Optional[str] = None,
        directory: Optional[str] = None,
        fine: Sequence[int] = (0,),
    ) -> int:
        """Its exit code, one of those that are ``fine``. What it says goes to the terminal.
        ``text``: for its standard input. ``directory``: where it runs. Raises DeploymentError."""
        self.find()
        done = subprocess.run(list(words), input=text, text=True, cwd=directory, check=False)
        if done.returncode not in fine:
            raise self.failed(done.returncode)
        return done.returncode

    def output(self, words: Sequence[str], *, but: str = "") -> str:
        """What it prints, without the line end at its end. ``but``: of its errors, the one that is
        none. Raises DeploymentError with what it says."""
        self.find()
        done = subprocess.run(list(words), text=True, capture_output=True, check=False)
        if done.returncode and not (but and but in done.stderr):
            raise self.failed(done.returncode, f": {done.stderr.strip()}")
        return done.stdout.strip()

    def failed(self, code: int, why: str = "") -> DeploymentError:
        return DeploymentError(f"{self.name} failed with exit code {code}{why}")


KUBECTL = Program("kubectl", "https://kubernetes.io/docs/tasks/tools")


def apply(options: Options, manifests: Sequence[Manifest], *words: str) -> None:
    """By kubectl. ``words``: further options. Raises DeploymentError."""
    command = _kubectl(options, "apply", *words, "-f", "-")
    KUBECTL.run(command, text=documents(manifests))


def delete(options: Options, kinds: str, selector: str) -> None:
    """The same of all namespaces."""
    KUBECTL.run(_kubectl(options, "delete", kinds, "-A", "-l", selector))


def differs(options: Options, manifests: Sequence[Manifest], *words: str) -> bool:
    """Whether the cluster has these objects otherwise; kubectl prints how. Raises
    DeploymentError."""
    command = _kubectl(options, "diff", *words, "-f", "-")
    return KUBECTL.run(command, text=documents(manifests), fine=(0, 1)) == 1


def _kubectl(options: Options, *words: str) -> List[str]:
    """The command line, for the cluster that is meant."""
    return ["kubectl", *options.cluster, *words]


def write(files: Mapping[str, bytes], directory: str) -> None:
    """Files by their path in a directory, for a program that takes one."""
    for name, content in files.items():
        path = Path(directory, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def print_files(files: Mapping[str, str]) -> None:
    """What -d shows of the files that a program is given beside the package, by path."""
    for name, text in files.items():
        print(f"# {name}\n{text}")
    print("# beside these files and the package")


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
