"""Runs the operator's program in a worker's pod, and reads its answer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Dict, Sequence, Tuple

from playbooks.commands.cluster import Cluster, Executed
from playbooks.commands.deployed import Deployed, a_worker
from playbooks.deployment.errors import DeploymentError
from playbooks.deployment.manifests.worker_pod import COMMAND
from playbooks.engines.worker.operator.protocol import PROGRAM, VERSION

# Lines of an answer that is none, as an error shows them.
SHOWN = 5


@dataclass(frozen=True)
class Answer:
    """``why``: what stopped it after these lines; empty where nothing did."""

    lines: Tuple[Dict[str, Any], ...]
    why: str = ""


def ask(cluster: Cluster, deployed: Deployed, *words: str) -> Answer:
    """``words``: what is to be done with the dead letters. Raises DeploymentError."""
    # The pod has rights and settings, but need not be asked for what the API server said already.
    return run(cluster, deployed, words[0], "--uid", deployed.uid, *words[1:])


def run(cluster: Cluster, deployed: Deployed, verb: str, *arguments: str) -> Answer:
    """``verb``: one of the protocol's. Raises DeploymentError."""
    pod = a_worker(cluster, deployed)
    command = (COMMAND[0], "-m", PROGRAM, verb, *arguments)
    return read(cluster.execute(deployed.namespace, pod, deployed.function, command), pod)


def read(done: Executed, pod: str) -> Answer:
    """Raises DeploymentError for what the program did not say."""
    lines = [_object(line) for line in done.out.splitlines()]
    said = [line for line in lines if line]
    version = said.pop(0).get("protocol") if said else None
    older = PROGRAM in done.err and ("No module named" in done.err or "usage:" in done.err)
    if version != VERSION and (said or older or version is not None):
        words = "an older version" if version is None else f"protocol version {version}"
        raise DeploymentError(
            f"the worker in pod {pod} answers with {words}, expected protocol version {VERSION}:"
            " deploy the playbook again with this version"
        )
    last = said[-1] if said else {}
    if "end" in last and not done.code:
        return Answer(tuple(said[:-1]))
    if "error" in last:
        return Answer(tuple(said[:-1]), str(last["error"]))
    what = f"the answer of pod {pod} broke off" if said else f"pod {pod} gave no answer"
    return Answer(tuple(said), f"{what}: {_complaint(done)}")


def _complaint(done: Executed) -> str:
    lines = [line for line in (done.err or done.out).strip().splitlines() if line]
    return "\n".join(lines[-SHOWN:]) or f"exit code {done.code}"


def _object(line: str) -> Dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def ids(numbers: Sequence[int]) -> Sequence[str]:
    """The arguments that name letters."""
    return ("--ids", *map(str, numbers)) if numbers else ()
