"""Answers the alerts that were received, records outcomes, and does what comes due with time."""
