"""Knative: a playbook that answers CloudEvents."""
