"""Evidence of a pod that is about to go: what is kept of it, where, and what never is.

Imports nothing, as does every package here: an archive holds what is imported, and no more.
"""
