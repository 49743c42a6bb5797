"""What isolating a pod takes: its plan, and what its account may change."""
