"""Runs the operator's program in a worker's pod, and reads its answer."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any, Dict, Mapping, Tuple

from playbooks.core.cluster.objects import LONGEST_COMMAND, Executed
from playbooks.core.outcome import Outcome
from playbooks.deployment.errors import DeploymentError
from playbooks.deployment.manifests.worker_pod import COMMAND
from playbooks.deployment.workers.deployed_function import DeployedFunction
from playbooks.engines.worker.operator.protocol import HISTORY, PROGRAM, VERSION

# Lines of an unusable answer that an error shows, and how deep anything in a line may be nested.
SHOWN, DEEPEST = 5, 20

# Seconds for what takes a moment, where strangers' programs are asked, too, as with -A.
WITHIN = 60.0

# Lines and values of an answer, at most: in memory, the shortest ones take thirty times what they
# are long. And characters of an error, which may be a stranger's.
MOST_VALUES, LONGEST = 8_000_000, 4_000


@dataclass(frozen=True)
class WorkerReply:
    """``why``: the error that ended it after these lines; empty where it is complete."""

    lines: Tuple[Dict[str, Any], ...]
    why: str = ""

    def whole(self) -> Tuple[Dict[str, Any], ...]:
        """The lines, where only all of them are of use. Raises DeploymentError."""
        if self.why:
            raise DeploymentError(self.why)
        return self.lines


def run(
    deployed: DeployedFunction, verb: str, *arguments: str, within: float = LONGEST_COMMAND
) -> WorkerReply:
    """``verb``: one of the protocol's. ``within``: seconds that it may take. Raises DeploymentError
    without a worker of this version."""
    pod, container = deployed.a_worker(), deployed.function
    command = (COMMAND[0], "-m", PROGRAM, verb, *arguments)
    done = deployed.cluster.execute(deployed.namespace, pod, container, command, seconds=within)
    return read(done, pod)


def history(
    deployed: DeployedFunction, seconds: float, *, within: float = LONGEST_COMMAND
) -> WorkerReply:
    """What became of its alerts in the last ``seconds``, in the stream, without what is no outcome:
    whoever may publish there wrote that. ``within``: as ``run`` has it. Raises DeploymentError."""
    words = ("--uid", deployed.uid, "--since", str(int(seconds)))
    answer = run(deployed, HISTORY, *words, within=within)
    return replace(answer, lines=tuple(filter(_is_outcome, answer.lines)))


def read(done: Executed, pod: str) -> WorkerReply:
    """Raises DeploymentError where the program is of another version, or was never run."""
    values = done.out.count("\n") + done.out.count(",")
    if values > MOST_VALUES:
        raise DeploymentError(f"pod {pod} answers with {values} values, more than are read")
    lines = [_object(line) for line in done.out.split("\n")]
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
        return WorkerReply(tuple(said[:-1]))
    if "error" in last:
        return WorkerReply(tuple(said[:-1]), str(last["error"])[:LONGEST])
    what = f"the answer of pod {pod} is incomplete" if said else f"pod {pod} gave no answer"
    return WorkerReply(tuple(said), f"{what}: {_complaint(done)}")


def _is_outcome(line: Mapping[str, Any]) -> bool:
    try:
        found = Outcome.of_dict(line)
    except (KeyError, TypeError, ValueError):
        return False
    alert = line.get("alert") or {}
    if not isinstance(alert, dict):
        return False
    texts = (found.target, found.reason, found.message, found.trace_id, line.get("recorded", ""))
    return all(isinstance(each, str) for each in (*texts, *found.why, *alert.values()))


def _complaint(done: Executed) -> str:
    end = (done.err or done.out).rstrip()[-LONGEST:]
    lines = [line for line in end.strip().splitlines() if line]
    return "\n".join(lines[-SHOWN:]) or f"exit code {done.code}"


def _object(line: str) -> Dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) and _is_within(DEEPEST, found) else {}


def _is_within(depth: int, value: Any) -> bool:
    """Whether it is nested no deeper."""
    if not isinstance(value, (dict, list)):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return depth > 0 and all(_is_within(depth - 1, each) for each in inner)
