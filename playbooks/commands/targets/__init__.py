"""What a command acts on: a deployed playbook, and its ledgers."""
