"""A function as the image has it that faas-cli builds: the template's own server, where somebody
fetched https://github.com/openfaas/python-flask-template, whose directory OPENFAAS_TEMPLATES names,
with the directory of the function as its package ``function``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Dict, List, Mapping, Tuple

from playbooks.deployment.command_line import parse
from playbooks.deployment.engines import openfaas, registry
from playbooks.deployment.request.options import Options
from playbooks.deployment.request.request import Request
from specs.engines.worker.rig import eventually, free_port
from specs.support.conditions import Condition
from specs.support.engine_callers import posted

TEMPLATE = Path(os.environ.get("OPENFAAS_TEMPLATES", ""), "template", openfaas.TEMPLATE)

OPENFAAS_TEMPLATE = Condition(
    (TEMPLATE / "index.py").is_file() and find_spec("waitress") is not None,
    "OpenFaaS' template is not there, which OPENFAAS_TEMPLATES names, or waitress is not installed",
)

# It listens on port 5000 of all addresses, which is for one at a time.
_SERVED = """\
import runpy, sys, waitress
serve = waitress.serve
waitress.serve = lambda app, **_: serve(app, host="127.0.0.1", port=int(sys.argv[1]))
sys.path.insert(0, "")
runpy.run_path("index.py", run_name="__main__")
"""


def asked(*words: str) -> Tuple[Request, Options]:
    """Of ``deploy_playbook -E openfaas`` with the playbook delete."""
    options = parse(
        ["-E", "openfaas", "-p", "delete", "-t", "falco.>", "-i", "r.example/x", *words]
    )
    return registry.checked(options, openfaas.ENGINE), options


class OpenFaasFunction:
    """``words``: of deploy_playbook. Its variables are those that would be deployed, and
    ``environ``, the surroundings. Runs while it is entered."""

    def __init__(self, *words: str, environ: Mapping[str, str]) -> None:
        request, options = asked(*words)
        self._directory = tempfile.TemporaryDirectory()
        root = Path(self._directory.name)
        openfaas.ENGINE.write(request, options, str(root))
        (root / request.function).rename(root / "function")
        (root / "function" / "__init__.py").touch()
        shutil.copy(TEMPLATE / "index.py", root)
        self.port, self._log = free_port(), root / "log"
        self._environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(root),
            "HOSTNAME": f"{request.function}-1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            **openfaas.ENGINE.variables(request, options),
            **environ,
        }

    def __enter__(self) -> OpenFaasFunction:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _SERVED, str(self.port)],
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
        self._process.kill()
        self._process.wait(10)

    @property
    def log(self) -> str:
        return self._log.read_text()

    @property
    def outcomes(self) -> List[Dict[str, Any]]:
        """Of all that was an alert."""
        lines = [line for line in self.log.splitlines() if line.startswith('{"')]
        return [each for each in map(json.loads, lines) if each["reason"] != "invalid-alert"]

    @property
    def output(self) -> Dict[str, str]:
        """Falcosidekick's settings for it. It has the host of a gateway for SERVICE.NAMESPACE."""
        return {
            "OPENFAAS_GATEWAYSERVICE": "127.0.0",
            "OPENFAAS_GATEWAYNAMESPACE": "1",
            "OPENFAAS_GATEWAYPORT": str(self.port),
            "OPENFAAS_FUNCTIONNAME": "falco-delete",
            "OPENFAAS_FUNCTIONNAMESPACE": openfaas.NAMESPACE,
        }

    def post(self, body: bytes, **headers: str) -> Tuple[int, Any]:
        status, said = posted(f"http://127.0.0.1:{self.port}/", body, **headers)
        return status, json.loads(said)

    def _answers(self) -> bool:
        """It says 400 to nothing, or 401."""
        if self._process.poll() is not None:
            raise AssertionError(f"it ended:\n{self.log}")
        try:
            return self.post(b"")[0] in (400, 401)
        except OSError:
            return False
