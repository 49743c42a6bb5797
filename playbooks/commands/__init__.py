"""``falco-playbook``: what one does after deploying. Never shipped inside a function.

What the API server knows is asked of it by kubectl, as deploy_playbook does. What only a worker
reaches, NATS, is done inside its pod by ``playbooks.engines.worker.operator``.
"""

from __future__ import annotations

from functools import partial

from playbooks.deployment import terminal

tell = partial(terminal.tell, program="falco-playbook")
