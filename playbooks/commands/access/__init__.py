"""What a person gives to a playbook: who it is, and what that may do."""
