"""Which topics the worker is subscribed to."""
