"""A cluster and a ledger in memory, held to the same contracts as the real ones."""
