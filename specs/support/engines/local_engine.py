"""``./deploy_playbook -E local`` in a process of its own, and what it prints."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import List, Mapping, Optional

from specs.support.processes import ROOT, let_ctrl_c_arrive

# What makes it take its stand-in, on a machine with a cluster too.
NO_CLUSTER = {"KUBECONFIG": "", "KUBERNETES_LOAD_KUBE_CONFIG": "", "KUBERNETES_SERVICE_HOST": ""}


class LocalEngine:
    """Runs while it is entered; what it left running is killed."""

    def __init__(self, *arguments: str, environ: Optional[Mapping[str, str]] = None) -> None:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self._directory = tempfile.TemporaryDirectory()
        self._process = subprocess.Popen(
            [str(ROOT / "deploy_playbook"), "-E", "local", *arguments],
            cwd=ROOT,
            env={
                **os.environ,
                "PATH": path,
                "COLUMNS": "120",
                "TMPDIR": self._directory.name,
                "XDG_STATE_HOME": self._directory.name,
                **(environ or {}),
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=let_ctrl_c_arrive,
        )
        self._lines: List[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> LocalEngine:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(10)
        self._directory.cleanup()

    @property
    def output(self) -> str:
        return "".join(self._lines)

    def said(self, words: str, *, times: int = 1, seconds: float = 30.0) -> str:
        """Its output, once it holds the words. Raises AssertionError after ``seconds``."""
        deadline = time.monotonic() + seconds
        while self.output.count(words) < times:
            if time.monotonic() > deadline or not self._reader.is_alive():
                raise AssertionError(f"it did not say {words!r} {times} times:\n{self.output}")
            time.sleep(0.05)
        return self.output

    def interrupt(self) -> None:
        """Ctrl-C."""
        self._process.send_signal(signal.SIGINT)

    def ended(self, *, interrupted: bool = False, seconds: float = 30.0) -> int:
        """Its exit code, after Ctrl-C where it is to be ``interrupted``."""
        if interrupted:
            self.interrupt()
        code = self._process.wait(seconds)
        self._reader.join(10)
        return code

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._lines.append(line)
