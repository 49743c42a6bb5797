"""A function as a process of its own, as its engine starts it, and what it logs."""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import Any, Dict, List, Mapping, Sequence, Tuple

from playbooks.core.instant import Instant
from playbooks.deployment.command_line import parse
from playbooks.deployment.engines import registry
from playbooks.deployment.engines.knative import PROGRAM
from playbooks.deployment.packaging.archive import package_files
from playbooks.deployment.request.options import Options
from playbooks.deployment.request.request import Request
from playbooks.testing import a_document
from specs.support.engines.callers import posted
from specs.support.processes import LoggedProcess, end_with_specs, eventually, free_port


def asked_for(engine: str, *words: str) -> Tuple[Request, Options]:
    """Of ``deploy_playbook -E ENGINE`` with the playbook delete."""
    options = parse(["-E", engine, "-p", "delete", "-t", "falco.>", *words])
    return registry.checked(options, registry.named(engine)), options


def a_fresh_alert(**changes: Any) -> Dict[str, Any]:
    """The document of an alert that has just come, about the pod web-0 in the namespace shop."""
    about = {"k8s.ns.name": "shop", "k8s.pod.name": "web-0", "container.id": "1376fe875695"}
    return a_document(time=str(Instant(time.time_ns())), output_fields=about, **changes)


class FunctionProcess(ABC, LoggedProcess):
    """Runs while it is entered. ``root``: the directory of its code, which goes with this object.
    ``environ``: all that it has of one."""

    command: Sequence[str]
    environ: Mapping[str, str]

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory()
        self.root = Path(self._directory.name)
        super().__init__(self.root / "log")
        self._started = False

    def write(self, files: Mapping[str, bytes]) -> None:
        for name, content in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def start(self) -> Any:
        """Before it is entered, which then waits for it only."""
        self.launch(self.command, cwd=self.root, env=self.environ, preexec_fn=end_with_specs)
        atexit.register(self.__exit__)
        self._started = True
        return self

    def ready(self) -> Any:
        """Once it takes alerts. Raises AssertionError where it does not begin."""
        try:
            eventually(self._is_ready, 60)
        except (AssertionError, ChildProcessError):
            self.__exit__()
            raise AssertionError(f"it does not answer:\n{self.log}") from None
        return self

    def __enter__(self) -> Any:
        if not self._started:
            self.start()
        return self.ready()

    def __exit__(self, *_: object) -> None:
        atexit.unregister(self.__exit__)
        try:
            self.end(10)
        except subprocess.TimeoutExpired:
            self.kill()

    @property
    def outcomes(self) -> List[Dict[str, Any]]:
        found = []
        for line in self.log.splitlines():
            with suppress(ValueError):
                document = json.loads(line)
                if isinstance(document, dict) and "reason" in document:
                    found.append(document)
        return found

    def _is_ready(self) -> bool:
        if self.process.poll() is not None:
            raise ChildProcessError("it ended")
        try:
            return self.answers()
        except OSError:
            return False

    @abstractmethod
    def answers(self) -> bool:
        """Whether it takes alerts. May raise OSError."""


class ServedFunction(FunctionProcess):
    """One to which alerts are posted, on a free port."""

    def __init__(self) -> None:
        super().__init__()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"

    def post(self, body: bytes, **headers: str) -> Tuple[int, Any]:
        """The status, and the document that it answers."""
        status, said = posted(self.url, body, **headers)
        return status, json.loads(said) if said else None


class KnativeFunction(ServedFunction):
    """The program of a container on Knative, out of the package that is mounted in it."""

    command = (sys.executable, "-m", "playbooks.engines.knative")

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__()
        self.write(package_files("delete", PROGRAM))
        self.environ = {
            "PATH": os.environ["PATH"],
            "HTTP_HOST": "127.0.0.1",
            "PORT": str(self.port),
            "PLAYBOOK": "delete",
            "PYTHONDONTWRITEBYTECODE": "1",
            **environ,
        }

    def answers(self) -> bool:
        """It says 400 to what is no event."""
        return posted(self.url, b"")[0] == 400
