"""What people are told about outcomes, and in which words."""
