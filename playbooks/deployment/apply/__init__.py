"""Applies the rendered objects to the cluster, and waits for the result."""
