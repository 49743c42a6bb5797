"""Keeps passwords, tokens and keys out of what is logged, recorded and sent."""
