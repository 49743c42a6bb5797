"""deploy_playbook and falco-playbook, in this process or in one of their own, and what they say."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, List, Sequence, Tuple
from unittest.mock import patch

from specs.support.processes import ROOT

# Runs commands one after the other, and prints what each of them printed, as JSON.
_IN_TURN = """
import io, json, sys
from contextlib import redirect_stderr, redirect_stdout
from playbooks.commands.__main__ import run as falco_playbook
from playbooks.deployment.__main__ import run as deploy_playbook

printed = []
for program, *words in json.loads(sys.argv[1]):
    sys.argv, out, err = [program, *words], io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = {"deploy_playbook": deploy_playbook, "falco-playbook": falco_playbook}[program]()
        except SystemExit as ended:
            code = ended.code
    assert not code, (words, err.getvalue())
    printed.append(out.getvalue())
print(json.dumps(printed))
"""


@dataclass(frozen=True)
class Run:
    """An exit code, and what was written to standard output and standard error."""

    code: int
    out: str
    err: str


def run_here(program: Callable[[], int]) -> Run:
    """In this process. ``program`` returns the exit code."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = program()
    return Run(code, out.getvalue(), err.getvalue())


def program_of(*words: str, **environ: str) -> Run:
    """In a process of its own, with these variables beside those of this one."""
    # A Python that has what is needed, which may lie in a virtual environment.
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        words,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), **environ},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    return Run(done.returncode, done.stdout, done.stderr)


def falco_playbook(*words: str) -> Tuple[int, str]:
    """Its exit code and what it said, in a process of its own."""
    return _said(program_of(sys.executable, "-m", "playbooks.commands", *words))


def deploy_playbook(*words: str) -> Tuple[int, str]:
    """The same."""
    return _said(program_of(str(ROOT / "deploy_playbook"), *words))


def succeeded(done: Tuple[int, str]) -> str:
    """What one of them said that ended well, and has to."""
    code, said = done
    assert code == 0, said
    return said


def in_turn(*commands: Sequence[str]) -> Tuple[str, ...]:
    """What Python is given to run these in one process, such as ("deploy_playbook", "-l"): it
    prints a list of what each printed, and fails where one does."""
    return ("-c", _IN_TURN, json.dumps(commands))


def _said(done: Run) -> Tuple[int, str]:
    return done.code, done.out + done.err


def completed_by_bash(main: Callable[[], object], name: str, *words: str) -> List[str]:
    """The values; ``main`` runs the program. The last of the words is being typed."""
    environment = {
        f"_{name.upper().replace('-', '_')}_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join([name, *words]),
        "COMP_CWORD": str(len(words)),
    }
    out = io.TextIOWrapper(io.BytesIO())
    with patch.dict(os.environ, environment), redirect_stdout(out), suppress(SystemExit):
        main()
    return [line.partition(",")[2] for line in out.buffer.getvalue().decode().splitlines()]
