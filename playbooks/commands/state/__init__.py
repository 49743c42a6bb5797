"""The state of deployed playbooks: what is known of each, and how people see it."""
