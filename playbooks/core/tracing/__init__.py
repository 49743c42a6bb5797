"""Which trace an alert belongs to, and the spans of what a playbook does about it."""
