"""The archive and the dependencies of a function."""
