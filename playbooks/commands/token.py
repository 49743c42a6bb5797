"""``falco-playbook token``: prints the bearer token of a worker's HTTP endpoint, or rotates it.

The worker reads the file of its mounted Secret for every request: rotating restarts and interrupts
nothing.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from dataclasses import dataclass
from typing import Any, List, Mapping, Tuple

import click

from playbooks.commands import tell
from playbooks.commands.options import Selection, Session, command, outputs, selects
from playbooks.core.cluster.conflicts import ATTEMPTS, until_written
from playbooks.core.cluster.manifest import Manifest, reference
from playbooks.core.errors import (
    Conflict,
    InvalidSetting,
    NotPermitted,
    PlaybookError,
)
from playbooks.deployment.apply.waiting import Sleep, looks, when_changed
from playbooks.deployment.errors import DeploymentError
from playbooks.deployment.manifests.secret import encoded, text_of
from playbooks.deployment.manifests.worker_pod import COMMAND
from playbooks.deployment.request.worker_settings import TOKEN
from playbooks.deployment.terminal import print_json
from playbooks.deployment.workers.deployed_function import DeployedFunction

# Seconds between two looks at the workers, and for all of them: the kubelet looks at a Secret
# again within 60 to 90 seconds, and at once when its pod changes.
PAUSE, WITHIN = 1.0, 180.0

# On a pod: a change that makes its kubelet look now.
ROTATED = "falco/token-rotated"

_DIGEST = "import hashlib,sys;print(hashlib.sha256(open(sys.argv[1],'rb').read()).hexdigest())"


@command("token -p delete", "token -p delete -n responders --rotate")
@selects
@outputs("text", "json")
@click.option(
    "--rotate",
    is_flag=True,
    help="Store a new token, print it, and wait until every worker accepts it. The previous one is"
    " rejected from then on.",
)
def token(session: Session, which: Selection, output: str, rotate: bool) -> int:
    """Print the bearer token of a worker's HTTP endpoint.

    Send it as 'Authorization: Bearer TOKEN' with POST /.
    """
    which.check()
    deployed = session.find(which)
    place = token_place(deployed)
    found = _rotated(place) if rotate else _token(place)
    if output == "json":
        said = {"secret": str(place), "key": place.key, "token": found}
        print_json({"function": str(deployed), **said})
    else:
        print(found, flush=True)
    if rotate:
        _wait(place, found, session.sleep)
    return 0


@dataclass(frozen=True)
class TokenPlace:
    """Where a worker's token is: ``key`` of a Secret, and the file ``path`` in the worker's pods.

    ``own``: in the Secret that deploy_playbook makes, not in one that somebody else keeps.
    """

    deployed: DeployedFunction
    secret: str
    key: str
    path: str
    own: bool

    def __str__(self) -> str:
        """The Secret."""
        return f"{self.deployed.namespace}/{self.secret}"


def token_place(deployed: DeployedFunction) -> TokenPlace:
    """Read from the spec of the worker's pods. Raises DeploymentError."""
    environment = deployed.environment
    if environment.get("HTTP") == "off":
        raise DeploymentError(
            f"{deployed} has no HTTP endpoint, and so no token: it was deployed with HTTP=off"
        )
    path = environment.get(TOKEN.file_variable, "")
    for directory, volume in _mounts(deployed):
        if path.startswith(f"{directory}/"):
            secret, key = volume["secretName"], path[len(directory) + 1 :]
            items = {item["path"]: item["key"] for item in volume.get("items") or ()}
            own = secret == deployed.function
            return TokenPlace(deployed, secret, items.get(key, key), path, own)
    raise DeploymentError(
        f"the token of {deployed} comes from no Secret: {TOKEN.file_variable} of its pods is"
        f" {path!r}, expected a file of a Secret's volume"
    )


def _mounts(deployed: DeployedFunction) -> List[Tuple[str, Mapping[str, Any]]]:
    """Directories of the container and the Secrets in them."""
    volumes = {volume["name"]: volume for volume in deployed.template.get("volumes") or ()}
    return [
        (mount["mountPath"].rstrip("/"), volumes[mount["name"]]["secret"])
        for mount in deployed.container.get("volumeMounts") or ()
        if "secret" in volumes.get(mount["name"], {})
    ]


def _token(place: TokenPlace) -> str:
    found = _secret(place)
    try:
        return str(TOKEN.check(text_of(found, place.key)))
    except KeyError:
        raise DeploymentError(_unusable(place, "it is missing")) from None
    except (ValueError, InvalidSetting) as error:
        raise DeploymentError(_unusable(place, str(error))) from None


def _unusable(place: TokenPlace, why: str) -> str:
    return (
        f"key {place.key} of Secret {place} is no token, and the worker"
        f" rejects every request: {why} (--rotate makes a new one)"
    )


def _secret(place: TokenPlace) -> Manifest:
    """Raises DeploymentError where it is gone."""
    deployed = place.deployed
    found = deployed.cluster.find("v1", "Secret", place.secret, deployed.namespace)
    if not found:
        raise DeploymentError(
            f"there is no Secret {place}, which has the token of {deployed}: deploy it again"
        )
    return found


def _rotated(place: TokenPlace) -> str:
    """A new token, which the Secret has now. Raises DeploymentError."""
    if not place.own:
        raise DeploymentError(
            f"the token of {place.deployed} is key {place.key} of Secret {place}, which"
            " deploy_playbook did not make (-s): change it there"
        )
    made = secrets.token_urlsafe(32)

    def write() -> None:
        stored = _secret(place)
        data = {**(stored.get("data") or {}), place.key: encoded(made)}
        place.deployed.cluster.replace([{**stored, "data": data}])

    try:
        until_written(write)
    except Conflict:
        raise DeploymentError(f"Secret {place} was written by others, {ATTEMPTS} times") from None
    return made


def _wait(place: TokenPlace, token: str, sleep: Sleep) -> None:
    """Until every worker has the new token, and so rejects the previous one."""
    deployed = place.deployed
    wanted = hashlib.sha256(token.encode("ascii")).hexdigest()
    _hurry(deployed)
    say = when_changed(lambda line: tell("", [line]))
    for _ in looks(WITHIN, sleep=sleep, pause=PAUSE):
        pods = deployed.workers()
        late = [pod for pod in pods if not _has(place, pod, wanted)]
        say(f"{len(pods) - len(late)} of {len(pods)} workers accept the new token")
        if not late:
            return
        if _token(place) != token:
            raise DeploymentError(
                f"somebody else changed the token of {deployed} meanwhile, and the one above is"
                " rejected: without --rotate this command prints theirs"
            )
    raise DeploymentError(
        f"the new token is stored, but pod {', '.join(late)} still accepts the previous one: its"
        f" kubelet did not update {place.path} within {WITHIN:.0f} seconds. Restart it: kubectl"
        f" rollout restart deployment {deployed.function} -n {deployed.namespace}"
    )


def _hurry(deployed: DeployedFunction) -> None:
    """Without the right to annotate pods it only takes longer."""
    try:
        for pod in deployed.workers():
            which = reference("v1", "Pod", pod, deployed.namespace)
            rotated = {ROTATED: str(int(time.time()))}
            deployed.cluster.patch(which, {"metadata": {"annotations": rotated}})
    except PlaybookError:
        return


def _has(place: TokenPlace, pod: str, digest: str) -> bool:
    deployed = place.deployed
    command: List[str] = [COMMAND[0], "-c", _DIGEST, place.path]
    try:
        done = deployed.cluster.execute(deployed.namespace, pod, deployed.function, command)
    except NotPermitted as error:
        raise DeploymentError(
            f"the new token is stored, but whether the workers accept it cannot be read: {error}."
            " They accept it within two minutes"
        ) from error
    except PlaybookError:
        return False  # It may have ended meanwhile.
    return done.out.strip() == digest
