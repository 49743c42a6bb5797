"""Kubeless without Kubeless: a playbook on this machine, in the foreground.

Alerts come from a NATS server, from files, from standard input or by HTTP; the playbook is called
as Kubeless calls it, in a process for each of them.
"""

from playbooks.engines.local.engine import main

__all__ = ["main"]
