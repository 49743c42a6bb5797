"""What it had is playbooks.testing."""

from playbooks.testing.mothers import *  # noqa: F403
