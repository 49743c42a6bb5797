"""Which alerts are answered, together with which others, and when."""
