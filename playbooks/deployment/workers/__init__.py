"""A deployed function as it is in the cluster: its workers, and what is run in their pods."""
