"""Receives alerts from NATS and settles them there; reads streams, and sees renamed subjects."""
