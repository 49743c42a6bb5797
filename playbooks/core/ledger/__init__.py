"""What must be remembered of a playbook: the brake, its budget, what was reset and undone.

``book`` has the rules, ``ledger`` keeps the book in the cluster, with optimistic locking.
"""
