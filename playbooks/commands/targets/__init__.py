"""What a command acts on, beside the Function: ledgers, what is recorded, and what it records."""
