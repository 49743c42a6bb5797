"""What a playbook would have done: past alerts, run through the same code with their own clock."""
