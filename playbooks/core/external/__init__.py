"""Playbooks that are no part of this package: a file, or an entry point of an installed package."""
