"""Playbooks that answer a Falco alert with one prescribed action.

Every module at this level is a playbook, and nothing else is: ``-p delete`` is
``playbooks/delete.py``.
"""
