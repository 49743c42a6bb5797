"""A process that answers alerts of standard input, one JSON object a line, as an entrypoint wires
its playbook: ``python -m specs.support.cluster.answering PLAYBOOK [THREADS [DEATH]]``.

Prints each outcome as a line. ``DEATH``: it is killed (SIGKILL) right after ``slot``, the write of
the ledger, or ``action``, the deletion.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from playbooks.core import catalogue
from playbooks.engines import retrying
from playbooks.infrastructure.kubernetes.cluster import KubernetesCluster
from playbooks.infrastructure.kubernetes.ledger import ConfigMapLedger

DEATHS = {"slot": (ConfigMapLedger, "write"), "action": (KubernetesCluster, "delete_pod")}


def main(playbook: str, threads: str = "1", death: str = "") -> None:
    if death:
        _dies_after(*DEATHS[death])
    responder = catalogue.load(playbook).responder(os.environ)

    def answer(line: str) -> None:
        outcome = retrying.answer(partial(responder.answer, line), seconds=60.0)
        # In one piece: threads share it.
        sys.stdout.write(json.dumps(outcome.to_dict()) + "\n")
        sys.stdout.flush()

    with ThreadPoolExecutor(int(threads)) as pool:
        list(pool.map(answer, sys.stdin.read().splitlines()))


def _dies_after(owner: Any, name: str) -> None:
    original = getattr(owner, name)

    def deadly(*given: Any, **named: Any) -> None:
        original(*given, **named)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, name, deadly)


if __name__ == "__main__":
    main(*sys.argv[1:])
