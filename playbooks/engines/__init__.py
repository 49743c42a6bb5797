"""How an event reaches a playbook and how its outcome goes back, one module an engine."""
