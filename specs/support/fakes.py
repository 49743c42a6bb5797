"""What it had is playbooks.testing."""

from playbooks.testing.fakes import *  # noqa: F403
