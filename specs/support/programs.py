"""deploy_playbook and falco-playbook as processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Tuple

from specs.engines.worker.rig import ROOT


def program_of(*words: str) -> subprocess.CompletedProcess[str]:
    # A Python that has what is needed, which may lie in a virtual environment.
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        words,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )


def falco_playbook(*words: str) -> Tuple[int, str]:
    """Its exit code and what it said."""
    return _said(program_of(sys.executable, "-m", "playbooks.commands", *words))


def deploy_playbook(*words: str) -> Tuple[int, str]:
    """Its exit code and what it said."""
    return _said(program_of(str(ROOT / "deploy_playbook"), *words))


def _said(done: subprocess.CompletedProcess[str]) -> Tuple[int, str]:
    return done.returncode, done.stdout + done.stderr
