"""The local engine: a playbook in this process, in the foreground.

Alerts come from files, from standard input, from a NATS server or by HTTP, and are answered one
after the other.
"""


class CannotStart(Exception):
    """``str(error)`` is for the person at the terminal."""
