"""``falco-playbook token``: prints the bearer token of a worker's HTTP, or makes a new one."""

from __future__ import annotations

import base64
import binascii
import json

from playbooks.commands import rotation
from playbooks.commands.cluster import Cluster
from playbooks.commands.command_line import Options
from playbooks.commands.deployed import Deployed
from playbooks.commands.token_place import TokenPlace, token_place
from playbooks.core.errors import InvalidSetting
from playbooks.deployment.apply.waiting import Sleep
from playbooks.deployment.errors import DeploymentError
from playbooks.deployment.request.worker_settings import TOKEN


def token(options: Options, cluster: Cluster, deployed: Deployed, sleep: Sleep) -> int:
    """The exit code. Raises DeploymentError."""
    place = token_place(deployed)
    if options.rotate:
        found = rotation.store(cluster, deployed, place)
    else:
        found = _token(cluster, deployed, place)
    if options.json:
        said = {"secret": f"{deployed.namespace}/{place.secret}", "key": place.key, "token": found}
        print(json.dumps({"function": str(deployed), **said}, indent=2), flush=True)
    else:
        print(found, flush=True)
    if options.rotate:
        rotation.wait(cluster, deployed, place, found, sleep)
    return 0


def _token(cluster: Cluster, deployed: Deployed, place: TokenPlace) -> str:
    data = rotation.secret(cluster, deployed, place).get("data") or {}
    if place.key not in data:
        raise DeploymentError(_unusable(deployed, place, "it is missing"))
    try:
        text = base64.b64decode(data[place.key]).decode("utf-8")
        return str(TOKEN.check(text))
    except (binascii.Error, UnicodeDecodeError, InvalidSetting) as error:
        raise DeploymentError(_unusable(deployed, place, str(error))) from None


def _unusable(deployed: Deployed, place: TokenPlace, why: str) -> str:
    return (
        f"key {place.key} of Secret {deployed.namespace}/{place.secret} is no token, so that"
        f" nobody is let in: {why} (--rotate makes a new one)"
    )
