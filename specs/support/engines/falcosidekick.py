"""Falcosidekick itself, where it is installed: a process of a spec's own."""

from __future__ import annotations

import json
import os
import tempfile
import urllib.request
from pathlib import Path
from typing import Any, Mapping, Optional

from specs.support.conditions import program
from specs.support.processes import LoggedProcess, eventually, free_port

FALCOSIDEKICK = program("falcosidekick")


def forwarded(alert: Mapping[str, Any], says: str, **settings: str) -> str:
    """Its log, once it says that it has forwarded the alert."""
    with tempfile.TemporaryDirectory() as directory:
        with Falcosidekick(directory, **settings) as sidekick:
            sidekick.take(alert)
            sidekick.says(says)
            return sidekick.log


class Falcosidekick(LoggedProcess):
    """Set up by environment variables, and listening on a free port of the loopback."""

    def __init__(self, directory: str, **settings: str) -> None:
        super().__init__(Path(directory) / "falcosidekick.log")
        self.port = free_port()
        # Not the whole environment: nearly every variable there could be one of its settings.
        kept = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
        listen = {"LISTENADDRESS": "127.0.0.1", "LISTENPORT": str(self.port)}
        self.launch(["falcosidekick"], cwd=directory, env={**kept, **listen, **settings})
        try:
            eventually(lambda: self._ask("/ping") == 200)
        except AssertionError:
            self.kill()
            raise AssertionError(f"Falcosidekick does not answer:\n{self.log}") from None

    def take(self, alert: Mapping[str, Any]) -> None:
        """As Falco's http_output sends it."""
        status = self._ask("/", json.dumps(alert).encode())
        assert status == 200, f"Falcosidekick answers {status}:\n{self.log}"

    def __enter__(self) -> Falcosidekick:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _ask(self, path: str, body: Optional[bytes] = None) -> int:
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return int(answer.status)
        except OSError:
            return 0
