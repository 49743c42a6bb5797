"""What must be remembered of a playbook: its pause, its budget, what was reset and undone.

Only decisions: ``playbooks.infrastructure.ledger`` keeps the book, with optimistic locking.
"""
