"""Another bearer token: stored in the Secret, and then taken by every worker.

The worker reads the file of its mounted Secret for every request: nothing is restarted, and
nothing that it does is interrupted.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from typing import List

from playbooks.commands import tell
from playbooks.commands.cluster import Cluster
from playbooks.commands.deployed import Deployed, workers
from playbooks.commands.token_place import TokenPlace
from playbooks.core.cluster.manifest import Manifest, reference
from playbooks.deployment.apply.waiting import Sleep
from playbooks.deployment.errors import DeploymentError
from playbooks.deployment.kubectl import Conflicting, KubectlError
from playbooks.deployment.manifests.worker_pod import COMMAND

# Times that the Secret is written when somebody else writes it at the same time.
TRIES = 5

# Seconds between two looks at the workers, and for all of them: the kubelet looks at a Secret
# again within 60 to 90 seconds, and at once when its pod changes.
PAUSE, WITHIN = 1.0, 180.0

# On a pod: a change that makes its kubelet look now.
ROTATED = "falco/token-rotated"

_DIGEST = "import hashlib,sys;print(hashlib.sha256(open(sys.argv[1],'rb').read()).hexdigest())"


def secret(cluster: Cluster, deployed: Deployed, place: TokenPlace) -> Manifest:
    """The one that has the token. Raises DeploymentError."""
    found = cluster.get([reference("v1", "Secret", place.secret, deployed.namespace)])
    if not found:
        raise DeploymentError(
            f"there is no Secret {deployed.namespace}/{place.secret}, which has the token of"
            f" {deployed}: deploy it again"
        )
    return found[0]


def store(cluster: Cluster, deployed: Deployed, place: TokenPlace) -> str:
    """A new token, which the Secret has now. Raises DeploymentError."""
    if not place.own:
        raise DeploymentError(
            f"the token of {deployed} is key {place.key} of Secret"
            f" {deployed.namespace}/{place.secret}, which was there before it (-s): change it there"
        )
    made = secrets.token_urlsafe(32)
    encoded = base64.b64encode(made.encode("ascii")).decode("ascii")
    for _ in range(TRIES):
        stored = secret(cluster, deployed, place)
        data = {**(stored.get("data") or {}), place.key: encoded}
        try:
            cluster.replace([{**stored, "data": data}])
            return made
        except Conflicting:
            continue
    raise DeploymentError(f"Secret {deployed.namespace}/{place.secret} changes all the time")


def wait(cluster: Cluster, deployed: Deployed, place: TokenPlace, token: str, sleep: Sleep) -> None:
    """Until every worker takes the new one, and so the one before no more."""
    wanted = hashlib.sha256(token.encode("ascii")).hexdigest()
    _hurry(cluster, deployed)
    told = ""
    for _ in range(int(WITHIN / PAUSE)):
        pods = workers(cluster, deployed)
        late = [pod for pod in pods if not _has(cluster, deployed, place, pod, wanted)]
        progress = f"{len(pods) - len(late)} of {len(pods)} workers take the new token"
        if progress != told:
            tell("", [progress])
            told = progress
        if not late:
            return
        sleep(PAUSE)
    raise DeploymentError(
        f"the new token is stored, and pod {', '.join(late)} still takes the one before: its"
        f" kubelet did not renew {place.path} within {WITHIN:.0f} seconds; kubectl rollout restart"
        f" deployment {deployed.function} -n {deployed.namespace} makes sure of it"
    )


def _hurry(cluster: Cluster, deployed: Deployed) -> None:
    """Whoever may not is only slower."""
    try:
        for pod in workers(cluster, deployed):
            cluster.annotate(deployed.namespace, pod, f"{ROTATED}={int(time.time())}")
    except KubectlError:
        return


def _has(cluster: Cluster, deployed: Deployed, place: TokenPlace, pod: str, digest: str) -> bool:
    command: List[str] = [COMMAND[0], "-c", _DIGEST, place.path]
    done = cluster.execute(deployed.namespace, pod, deployed.function, command)
    if done.code and "Error from server (Forbidden)" in done.err:
        raise DeploymentError(
            f"the new token is stored; whether the workers take it cannot be seen: {done.err}"
            " They do within two minutes".strip()
        )
    return done.out.strip() == digest
