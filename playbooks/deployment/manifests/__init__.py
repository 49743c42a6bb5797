"""The objects of a deployment, as plain dicts."""
