"""What a command acts on: the Function and its workers, ledgers, and what is on record."""
