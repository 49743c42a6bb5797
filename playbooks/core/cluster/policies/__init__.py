"""Policies of the network, of whatever kind: which there are, and what each lets through."""
