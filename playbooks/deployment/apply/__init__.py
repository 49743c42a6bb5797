"""Applies the rendered objects to the cluster, removes them, and waits for the result."""
