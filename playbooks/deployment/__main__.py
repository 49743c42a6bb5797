"""``python -m playbooks.deployment``: what ``deploy_playbook`` runs."""

from __future__ import annotations

import os
import sys
import time
from typing import Callable, Mapping, Sequence

from playbooks.core.errors import PlaybookError
from playbooks.deployment import command_line
from playbooks.deployment.apply.waiting import Sleep
from playbooks.deployment.errors import MissingRights, exit_code
from playbooks.deployment.removal.client import Client, client_for
from playbooks.deployment.terminal import print_messages
from playbooks.deployment.verbs import Connect, Tools
from playbooks.infrastructure.kubernetes.objects import of_context


def main(
    arguments: Sequence[str],
    environ: Mapping[str, str],
    connect: Connect,
    *,
    sleep: Sleep = time.sleep,
    client: Callable[[str, str], Client] = client_for,
) -> int:
    """The exit code: 0, 2 for what was typed wrong, 1 for a failure, 128 and more for a signal.

    ``connect``: gives the cluster of a kubeconfig's context, by name or "" for the current one.
    """
    try:
        return command_line.run(arguments, Tools(environ, connect, sleep, client))
    except PlaybookError as error:
        print_messages("error", str(error).splitlines())
        if isinstance(error, MissingRights) and error.manifest:
            print(f"kubectl apply -f - <<'EOF'\n{error.manifest}EOF", file=sys.stderr)
        return exit_code(error)
    except KeyboardInterrupt:
        print_messages("error", ["interrupted"])
        return 130


def run() -> int:
    """What the script and an installed package run."""
    try:
        return main(sys.argv[1:], os.environ, of_context)
    except BrokenPipeError:
        # The reader of the output, such as `head`, has closed it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(run())
