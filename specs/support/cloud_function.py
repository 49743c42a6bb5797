"""The directory that gcloud uploads, served by functions-framework as Google's buildpack has it
started: without arguments, from the directory itself, by variables.

Source: https://github.com/GoogleCloudPlatform/buildpacks, cmd/python/functions_framework.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, Dict, List, Mapping, Tuple

from playbooks.deployment.command_line import parse
from playbooks.deployment.engines import gcf, registry
from playbooks.deployment.request.options import Options
from playbooks.deployment.request.request import Request
from specs.engines.worker.rig import eventually, free_port
from specs.support.conditions import Condition
from specs.support.engine_callers import posted

PROGRAM = Path(sys.executable).with_name("functions-framework")
FUNCTIONS_FRAMEWORK = Condition(PROGRAM.exists(), "functions-framework is not installed")

PLACE = ("--region", "europe-west1", "--account", "falco@project-1.iam.gserviceaccount.com")


def asked(*words: str) -> Tuple[Request, Options]:
    """Of ``deploy_playbook -E gcf`` with the playbook delete."""
    options = parse(["-E", "gcf", "-p", "delete", "-t", "falco.>", *PLACE, *words])
    return registry.checked(options, gcf.ENGINE), options


class CloudFunction:
    """``words``: of deploy_playbook. Its variables are those that would be deployed, and
    ``environ``, the surroundings. Runs while it is entered."""

    def __init__(self, *words: str, environ: Mapping[str, str]) -> None:
        request, options = asked(*words)
        self._directory = tempfile.TemporaryDirectory()
        for name, content in gcf.ENGINE.files(request, options).items():
            path = Path(self._directory.name, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        self.port = free_port()
        self._log = Path(self._directory.name, "log")
        variables = gcf.ENGINE.variables(request, options)
        self._environ = {
            # No gcloud of this machine, and nothing of its user.
            "PATH": "",
            "HOME": self._directory.name,
            "CLOUDSDK_CONFIG": self._directory.name,
            "FUNCTION_TARGET": "event" if "--trigger-topic" in words else "alert",
            "FUNCTION_SIGNATURE_TYPE": "cloudevent" if "--trigger-topic" in words else "http",
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "K_SERVICE": request.function,
            "PYTHONDONTWRITEBYTECODE": "1",
            **variables,
            **environ,
        }

    def __enter__(self) -> CloudFunction:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [str(PROGRAM)],
                cwd=self._directory.name,
                env=self._environ,
                stdout=log,
                stderr=log,
            )
        try:
            eventually(self._answers, 60)
        except AssertionError:
            self.__exit__()
            raise AssertionError(f"it does not answer:\n{self.log}") from None
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @property
    def log(self) -> str:
        return self._log.read_text()

    @property
    def outcomes(self) -> List[Dict[str, Any]]:
        found = []
        for line in self.log.splitlines():
            with suppress(ValueError):
                document = json.loads(line)
                if isinstance(document, dict) and "reason" in document:
                    found.append(document)
        return found

    def post(self, body: bytes, **headers: str) -> Tuple[int, Any]:
        status, said = posted(self.url, body, **headers)
        return status, json.loads(said)

    def _answers(self) -> bool:
        """It says 405 to a GET."""
        if self._process.poll() is not None:
            raise AssertionError(f"it ended:\n{self.log}")
        try:
            return posted(self.url + "robots.txt", b"")[0] == 404
        except OSError:
            return False
