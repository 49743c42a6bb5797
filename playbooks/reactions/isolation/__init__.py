"""What isolating a pod takes: its plan, the policies of others, what its account may change."""
