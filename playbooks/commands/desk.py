"""Runs a module of ours in a worker's pod, such as the one for its dead letters."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Dict, Sequence, Tuple

from playbooks.commands.cluster import Cluster, Executed
from playbooks.commands.deployed import Deployed, a_worker
from playbooks.deployment.errors import DeploymentError
from playbooks.deployment.manifests.worker_pod import COMMAND

MODULE = "playbooks.engines.worker.operator.__main__"

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
    return run(cluster, deployed, MODULE, *words[:1], "--uid", deployed.uid, *words[1:])


def run(cluster: Cluster, deployed: Deployed, module: str, *arguments: str) -> Answer:
    """Raises DeploymentError."""
    pod = a_worker(cluster, deployed)
    command = (COMMAND[0], "-m", module, *arguments)
    return read(cluster.execute(deployed.namespace, pod, deployed.function, command), pod, module)


def read(done: Executed, pod: str, module: str = MODULE) -> Answer:
    """Raises DeploymentError for what the module did not say."""
    if module.rpartition(".")[2] in done.err and "No module named" in done.err:
        raise DeploymentError(
            f"the worker in pod {pod} is of another version, which has no {module}: deploy it again"
        )
    lines = [_object(line) for line in done.out.splitlines()]
    said = [line for line in lines if line]
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
