"""The directory that gcloud uploads, served by functions-framework as Google's buildpack has it
started: without arguments, from the directory itself, by variables.

Source: https://github.com/GoogleCloudPlatform/buildpacks, cmd/python/functions_framework.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Mapping, Tuple

from playbooks.deployment.engines import gcf
from playbooks.deployment.request.options import Options
from playbooks.deployment.request.request import Request
from specs.support.conditions import Condition
from specs.support.engines.callers import posted
from specs.support.engines.process import ServedFunction, asked_for

PROGRAM = Path(sys.executable).with_name("functions-framework")
FUNCTIONS_FRAMEWORK = Condition(PROGRAM.exists(), "functions-framework is not installed")

PLACE = ("--region", "europe-west1", "--account", "falco@project-1.iam.gserviceaccount.com")


def asked(*words: str) -> Tuple[Request, Options]:
    return asked_for("gcf", *PLACE, *words)


class CloudFunction(ServedFunction):
    """``words``: of deploy_playbook. Its variables are those that would be deployed, and
    ``environ``, the surroundings."""

    command = (str(PROGRAM),)

    def __init__(self, *words: str, environ: Mapping[str, str]) -> None:
        super().__init__()
        request, options = asked(*words)
        self.write(gcf.ENGINE.files(request, options))
        self.environ = {
            # No gcloud of this machine, and nothing of its user.
            "PATH": "",
            "HOME": str(self.root),
            "CLOUDSDK_CONFIG": str(self.root),
            "FUNCTION_TARGET": "event" if "--trigger-topic" in words else "alert",
            "FUNCTION_SIGNATURE_TYPE": "cloudevent" if "--trigger-topic" in words else "http",
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "K_SERVICE": request.function,
            "PYTHONDONTWRITEBYTECODE": "1",
            **gcf.ENGINE.variables(request, options),
            **environ,
        }

    def answers(self) -> bool:
        """It says 404 to what is not for the function."""
        return posted(self.url + "robots.txt", b"")[0] == 404
