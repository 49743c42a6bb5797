"""What was asked for on the command line, checked."""
