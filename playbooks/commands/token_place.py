"""Where the bearer token of a worker's HTTP is: a key of a Secret, and a file in its pods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, List, Mapping, Tuple

from playbooks.commands.deployed import Deployed
from playbooks.deployment.errors import DeploymentError
from playbooks.deployment.request.worker_settings import TOKEN


@dataclass(frozen=True)
class TokenPlace:
    """``own``: in the Secret that deploy_playbook makes, not in one that somebody else keeps."""

    secret: str
    key: str
    path: str
    own: bool


def token_place(deployed: Deployed) -> TokenPlace:
    """Read as the worker's pod is told. Raises DeploymentError."""
    environment = deployed.environment
    if environment.get("HTTP") == "off":
        raise DeploymentError(
            f"{deployed} takes no alerts by HTTP, and has no token: it was deployed with HTTP=off"
        )
    path = environment.get(TOKEN.file_variable, "")
    for directory, volume in _mounts(deployed):
        if path.startswith(f"{directory}/"):
            secret, key = volume["secretName"], path[len(directory) + 1 :]
            items = {item["path"]: item["key"] for item in volume.get("items") or ()}
            return TokenPlace(secret, items.get(key, key), path, secret == deployed.function)
    raise DeploymentError(
        f"{deployed} has its token from no Secret: expected {TOKEN.file_variable} in its pods to"
        f" be a file of one, and it is {path!r}"
    )


def _mounts(deployed: Deployed) -> List[Tuple[str, Mapping[str, Any]]]:
    """Directories of the container and the Secrets in them."""
    volumes = {volume["name"]: volume for volume in deployed.template.get("volumes") or ()}
    return [
        (mount["mountPath"].rstrip("/"), volumes[mount["name"]]["secret"])
        for mount in deployed.container.get("volumeMounts") or ()
        if "secret" in volumes.get(mount["name"], {})
    ]
