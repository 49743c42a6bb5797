"""``falco-playbook``, or ``python -m playbooks.commands``."""

from __future__ import annotations

import os
import sys
import time
from typing import Callable, Optional, Sequence

from playbooks.commands import tell
from playbooks.commands.bearer_token import token
from playbooks.commands.brake import brake
from playbooks.commands.check import check
from playbooks.commands.cluster import Cluster, ClusterProcess
from playbooks.commands.command_line import parse
from playbooks.commands.dead import dead
from playbooks.commands.deployed import find
from playbooks.commands.history import history
from playbooks.commands.reach import Reach, reach
from playbooks.commands.simulate import simulate
from playbooks.commands.sweep import sweep
from playbooks.commands.undo import undo
from playbooks.deployment.apply import preflight
from playbooks.deployment.apply.waiting import Sleep
from playbooks.deployment.errors import DeploymentError
from playbooks.infrastructure.this_pod import SystemClock


def main(
    arguments: Sequence[str],
    cluster: Cluster,
    *,
    sleep: Sleep = time.sleep,
    reach: Callable[[], Reach] = reach,
) -> int:
    """The exit code: 0, 2 for what was typed wrong, 1 for a failure, 130 for Ctrl-C."""
    try:
        options = parse(arguments)
        if options.command == "simulate" and options.since is None:
            return simulate(options)
        if options.command == "undo":
            return undo(options, cluster, reach())
        if options.command == "sweep":
            return sweep(options, cluster, reach())
        preflight.check_kubectl()
        namespace = options.namespace or cluster.current_namespace()
        if options.command in ("pause", "resume", "reset"):
            return brake(options, cluster, namespace, SystemClock().now)
        if options.command == "check":
            return check(options, cluster, namespace, sleep)
        if options.command == "history":
            return history(options, cluster, namespace)
        deployed = find(cluster, namespace, options.function)
        if options.command == "simulate":
            return simulate(options, cluster, deployed)
        if options.command == "dead":
            return dead(options, cluster, deployed)
        return token(options, cluster, deployed, sleep)
    except DeploymentError as error:
        tell("error", str(error).splitlines())
        return error.exit_code
    except KeyboardInterrupt:
        tell("error", ["interrupted"])
        return 130


def run(arguments: Optional[Sequence[str]] = None) -> None:
    """What the console script calls."""
    try:
        code = main(sys.argv[1:] if arguments is None else arguments, ClusterProcess())
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output, such as `head`, has had enough of it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    sys.exit(code)


if __name__ == "__main__":
    run()
