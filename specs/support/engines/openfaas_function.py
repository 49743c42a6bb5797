"""A function as the image has it that faas-cli builds: the template's own server, where somebody
fetched https://github.com/openfaas/python-flask-template, whose directory OPENFAAS_TEMPLATES names,
with the directory of the function as its package ``function``.
"""

from __future__ import annotations

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Dict, List, Mapping, Tuple

from playbooks.deployment.engines import openfaas
from playbooks.deployment.request.options import Options
from playbooks.deployment.request.request import Request
from specs.support.conditions import Condition
from specs.support.engines.process import ServedFunction, asked_for

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
    return asked_for("openfaas", "-i", "r.example/x", *words)


class OpenFaasFunction(ServedFunction):
    """``words``: of deploy_playbook. Its variables are those that would be deployed, and
    ``environ``, the surroundings."""

    def __init__(self, *words: str, environ: Mapping[str, str]) -> None:
        super().__init__()
        request, options = asked(*words)
        openfaas.ENGINE.write(request, options, str(self.root))
        (self.root / request.function).rename(self.root / "function")
        (self.root / "function" / "__init__.py").touch()
        shutil.copy(TEMPLATE / "index.py", self.root)
        self.command = (sys.executable, "-c", _SERVED, str(self.port))
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.root),
            "HOSTNAME": f"{request.function}-1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            **openfaas.ENGINE.variables(request, options),
            **environ,
        }

    @property
    def outcomes(self) -> List[Dict[str, Any]]:
        """Of all that was an alert."""
        return [each for each in super().outcomes if each["reason"] != "invalid-alert"]

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

    def answers(self) -> bool:
        """It says 400 to nothing, or 401."""
        return self.post(b"")[0] in (400, 401)
