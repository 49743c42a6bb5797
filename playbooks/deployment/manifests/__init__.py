"""The objects of a deployment, as plain dicts; ``record`` finds those of a cluster."""
