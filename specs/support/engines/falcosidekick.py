"""Falcosidekick itself, where it is installed: a process of a spec's own."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import urllib.request
from pathlib import Path
from typing import Any, Mapping, Optional

from specs.support.conditions import program
from specs.support.processes import eventually, free_port

FALCOSIDEKICK = program("falcosidekick")


def forwarded(alert: Mapping[str, Any], says: str, **settings: str) -> str:
    """Its log, once it says that it has forwarded the alert."""
    with tempfile.TemporaryDirectory() as directory:
        with Falcosidekick(directory, **settings) as sidekick:
            sidekick.take(alert)
            sidekick.says(says)
            return sidekick.log


class Falcosidekick:
    """Set up by environment variables, and listening on a free port of the loopback."""

    def __init__(self, directory: str, **settings: str) -> None:
        self.port = free_port()
        self._path = Path(directory) / "falcosidekick.log"
        # Not the whole environment: nearly every variable there could be one of its settings.
        kept = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
        listen = {"LISTENADDRESS": "127.0.0.1", "LISTENPORT": str(self.port)}
        with self._path.open("wb") as log:
            self._process = subprocess.Popen(
                ["falcosidekick"],
                cwd=directory,
                env={**kept, **listen, **settings},
                stdout=log,
                stderr=log,
            )
        try:
            eventually(lambda: self._ask("/ping") == 200)
        except AssertionError:
            self.end()
            raise AssertionError(f"Falcosidekick does not answer:\n{self.log}") from None

    @property
    def log(self) -> str:
        return self._path.read_text()

    def take(self, alert: Mapping[str, Any]) -> None:
        """As Falco's http_output sends it."""
        status = self._ask("/", json.dumps(alert).encode())
        assert status == 200, f"Falcosidekick answers {status}:\n{self.log}"

    def says(self, words: str) -> None:
        try:
            eventually(lambda: words in self.log)
        except AssertionError:
            said = f"Falcosidekick never said {words!r}, but:\n{self.log}"
            raise AssertionError(said) from None

    def __enter__(self) -> Falcosidekick:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        self._process.kill()
        self._process.wait(10)

    def _ask(self, path: str, body: Optional[bytes] = None) -> int:
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return int(answer.status)
        except OSError:
            return 0
