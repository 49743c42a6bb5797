"""Conditions on alerts, in the part of CEL that means the same here as in Kubernetes."""
