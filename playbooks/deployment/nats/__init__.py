"""A NATS server for Falco's alerts: ``deploy_playbook -S --with-nats``."""
