"""``./deploy_playbook -E local`` in a process of its own, and what it prints."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Mapping, Optional

from specs.support.processes import ROOT, LoggedProcess, let_ctrl_c_arrive

# What makes it take its stand-in, on a machine with a cluster too.
NO_CLUSTER = {"KUBECONFIG": "", "KUBERNETES_LOAD_KUBE_CONFIG": "", "KUBERNETES_SERVICE_HOST": ""}


class LocalEngine(LoggedProcess):
    """Runs while it is entered; what it left running is killed."""

    def __init__(self, *arguments: str, environ: Optional[Mapping[str, str]] = None) -> None:
        self._directory = tempfile.TemporaryDirectory()
        super().__init__(Path(self._directory.name) / "log")
        self.launch(
            [str(ROOT / "deploy_playbook"), "-E", "local", *arguments],
            cwd=ROOT,
            env={
                **os.environ,
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
                "COLUMNS": "120",
                "TMPDIR": self._directory.name,
                "XDG_STATE_HOME": self._directory.name,
                **(environ or {}),
            },
            stdin=subprocess.PIPE,
            preexec_fn=let_ctrl_c_arrive,
        )

    def __enter__(self) -> LocalEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._directory.cleanup()

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def ended(self, *, interrupted: bool = False) -> int:
        """Its exit code, after Ctrl-C where it is to be ``interrupted``."""
        if interrupted:
            self.interrupt()
        return self.process.wait(30)
