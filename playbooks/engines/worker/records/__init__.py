"""Writes outcomes where people and programs look for them."""
