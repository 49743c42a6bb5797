"""What the objects of a worker depend on beside what was typed."""
