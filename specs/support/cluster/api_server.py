"""The API server of the kubeconfig, as a process of this machine that specs may stop."""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
from pathlib import Path
from typing import Optional

from specs.support.cluster.real_cluster import kubectl
from specs.support.conditions import CLUSTER, Condition
from specs.support.processes import eventually

# A program that takes the words ``stop apiserver`` and ``start apiserver``.
RIG = os.environ.get("SPEC_CLUSTER_RIG", "")


def _found() -> Optional[int]:
    """The id of its process, if it is the one that the kubeconfig names and may be signalled."""
    words = ("config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}")
    host, _, port = kubectl(*words).partition("//")[2].rstrip("/").partition(":")
    if host not in ("127.0.0.1", "localhost"):
        return None
    for path in Path("/proc").glob("[0-9]*"):
        try:
            program, *given = (path / "cmdline").read_text().split("\0")
            if Path(program).name == "kube-apiserver" and f"--secure-port={port}" in given:
                os.kill(int(path.name), 0)
                return int(path.name)
        except OSError:
            continue
    return None


GIVEN = Condition(
    bool(RIG),
    "it stops the API server for everybody: only with SPEC_CLUSTER_RIG, a program that does that",
)
HERE = Condition(
    CLUSTER.holds and GIVEN.holds and _found() is not None,
    "the API server of the kubeconfig is no process of this machine that may be stopped",
)


def freeze() -> None:
    """It answers nothing any more, and no connection to it ends."""
    pid = _found()
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    atexit.register(thaw)


def thaw() -> None:
    pid = _found()
    assert pid is not None
    os.kill(pid, signal.SIGCONT)
    atexit.unregister(thaw)


def stop() -> None:
    """Its process ends, and with it every connection."""
    atexit.register(start)
    _rig("stop")


def start() -> None:
    """Once more, and wait until it is ready."""
    if _found() is None:
        _rig("start")
    eventually(lambda: kubectl("get", "--raw=/readyz") == "ok", 60)
    atexit.unregister(start)


def _rig(word: str) -> None:
    subprocess.run([RIG, word, "apiserver"], check=True, timeout=60, stdin=subprocess.DEVNULL)
