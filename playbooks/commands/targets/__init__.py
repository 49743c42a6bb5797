"""What a command acts on, beside the Function: ledgers."""
