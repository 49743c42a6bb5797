"""Commands that look for what no example thought of."""
