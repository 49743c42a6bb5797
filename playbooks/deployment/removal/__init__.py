"""Removes what was deployed, and says what of it stays behind."""
