"""Receives alerts from NATS, and settles them there."""
