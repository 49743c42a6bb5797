"""Programs that keep what they are given, in place of those that deploy for an engine."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path
from unittest.mock import patch

from specs.deployment.fake_objects import NoCluster
from specs.deployment.mothers import run


class FakePrograms:
    """The only ones on the PATH of ``run``. ``scripts``: of the shell, by name. What one writes to
    ``$0.WHAT`` is at ``path("NAME.WHAT")``."""

    def __init__(self, scripts):
        self._directory = tempfile.TemporaryDirectory()
        for name, script in scripts.items():
            path = self.path(name)
            path.write_text(script)
            path.chmod(path.stat().st_mode | stat.S_IEXEC)

    def path(self, name):
        return Path(self._directory.name, name)

    def kept(self, name):
        return self.path(name).read_text()

    def remove(self, *names):
        """As where it is not installed."""
        for name in names:
            self.path(name).unlink()

    def run(self, *words, cluster=None):
        """deploy_playbook, without a cluster unless one is given."""
        with patch.dict(os.environ, {"PATH": self._directory.name}):
            return run(*words, cluster=cluster or NoCluster())

    def close(self):
        self._directory.cleanup()
