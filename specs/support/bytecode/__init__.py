"""What Python compiles for specs, kept for the next time it is wanted."""
