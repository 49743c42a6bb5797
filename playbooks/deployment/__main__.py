"""``python -m playbooks.deployment``: what ``deploy_playbook`` runs."""

from __future__ import annotations

import os
import sys
from typing import Sequence

from playbooks.core.errors import PlaybookError
from playbooks.deployment import command_line
from playbooks.deployment.errors import MissingRights, exit_code
from playbooks.deployment.terminal import discard_output, print_messages
from playbooks.deployment.verbs import Tools
from playbooks.infrastructure.kubernetes.objects import of_context


def main(arguments: Sequence[str], tools: Tools) -> int:
    """The exit code: 0, 2 for what was typed wrong, 1 for a failure, 128 and more for a signal."""
    try:
        return command_line.run(arguments, tools)
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
        return main(sys.argv[1:], Tools(os.environ, of_context))
    except BrokenPipeError:
        discard_output()
        return 0


if __name__ == "__main__":
    sys.exit(run())
