"""Answers the alerts that were received."""
