"""Deploying a playbook: what ``deploy_playbook`` checks, makes, applies and removes.

Nothing of it is shipped inside a function.
"""
