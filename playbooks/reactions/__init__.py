"""One pure class a file: collaborators and settings in, ``run(alert) -> Outcome``."""
