"""``falco-playbook``: operates playbooks that are deployed. Never shipped inside a function.

It asks the API server through the same port as ``deploy_playbook``. What only a worker reaches,
NATS, it does inside the worker's pod (``deployment.workers.in_pod``).
"""

from __future__ import annotations

from functools import partial

from playbooks.deployment import terminal

PROGRAM = "falco-playbook"

tell = partial(terminal.print_messages, program=PROGRAM)
