"""Playbooks one after the other, as one: the steps of a chain."""
