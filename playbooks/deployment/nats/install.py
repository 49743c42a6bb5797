"""``deploy_playbook -S --with-nats``: sets NATS up, its streams and a Secret for each user."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field, replace
from typing import Callable, Dict, List, Mapping, Optional, Sequence, Tuple
from urllib.parse import quote

from playbooks.core.cluster.manifest import KUBELESS_API, Manifest, identity, shown
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.errors import NotFound, NotPermitted
from playbooks.deployment.apply.confirmation import confirm
from playbooks.deployment.apply.set_up import apply, is_ours
from playbooks.deployment.apply.waiting import Sleep, stuck, until_gone
from playbooks.deployment.errors import DeploymentError, UsageError
from playbooks.deployment.manifests.crds import LABELS
from playbooks.deployment.manifests.record import topics_of
from playbooks.deployment.manifests.secret import secret, texts_of
from playbooks.deployment.nats import manifests, users
from playbooks.deployment.nats.manifests import IMAGE
from playbooks.deployment.nats.readiness import failure_of, wait
from playbooks.deployment.nats.users import Permissions, User, WorkerUser
from playbooks.deployment.packaging.archive import program_archive
from playbooks.deployment.packaging.dependencies import requirements
from playbooks.deployment.request import assignments, by_name
from playbooks.deployment.request.names import image_problems, place_problems
from playbooks.deployment.request.options import Options
from playbooks.deployment.terminal import print_step
from playbooks.engines.worker.function import Function

#: The Secret that Falcosidekick's chart takes its configuration from, and the key of its URL.
FALCOSIDEKICK_SECRET, FALCOSIDEKICK_KEY = "falcosidekick-nats", "NATS_HOSTPORT"

# The namespace of Falcosidekick, where it does not run yet or in several, and what its Deployment
# is labelled as.
FALCO_NAMESPACE, _RUNS = "falco", "app.kubernetes.io/name=falcosidekick"

# The option of ``-E kubernetes`` that names an image with our code.
_WORKER_IMAGE = "image"

# The keys of a worker's Secret.
USER, PASSWORD = "NATS_USER", "NATS_PASSWORD"

_PACKAGES = ("nats-py",)

# What stays as it is once it is there.
_MADE_ONCE = ("Namespace", "Job")


@dataclass(frozen=True)
class Installation:
    """``worker``: one more that gets a user. ``image``: that of the server; empty for the one that
    it has from another registry, else IMAGE. ``worker_image``: one with our code, for the Job that
    creates the streams; empty for a stock Python image that installs it, with ``variables`` in its
    environment. ``falco_namespace``: where Falcosidekick's Secret goes."""

    worker: Optional[WorkerUser] = None
    image: str = ""
    worker_image: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    falco_namespace: str = FALCO_NAMESPACE

    @classmethod
    def of(cls, options: Options, current_namespace: Callable[[], str]) -> Installation:
        """What was typed. ``current_namespace``: for a worker without ``-n``. Raises UsageError."""
        name = options.deployed_name
        namespace = options.namespace or (current_namespace() if name else "")
        image, worker_image = options.nats_image or None, options.own.get(_WORKER_IMAGE)
        problems = place_problems(name, namespace or None)
        problems += image_problems(image, "--nats-image") + image_problems(worker_image)
        given = assignments.readable(assignments.value, options.values, problems)
        if options.playbook:
            by_name.load(options.playbook)
        if problems:
            raise UsageError(problems)
        return cls(
            worker=WorkerUser(options.function, namespace) if name else None,
            image=image or "",
            worker_image=worker_image or "",
            variables={each.name: each.text for each in given},
        )


def install(
    cluster: ClusterObjects, wanted: Installation, *, sleep: Sleep = time.sleep
) -> List[str]:
    """Make what is missing, and return what to do next, in lines. Prints what it does. Raises
    DeploymentError.

    Users that are there keep their passwords. A new user means a new configuration, with which the
    server starts again: its clients connect again by themselves. The user of a worker goes with its
    Secret. A Job that failed is made again.
    """
    known = _known_passwords(cluster)
    gone = _gone(cluster, known, wanted.worker)
    for each in gone:
        print_step("removed", f"user {each.user}, whose Secret {each.place} is gone")
    left = {name: known[name] for name in known if name not in {w.user for w in gone}}
    passwords = _new_passwords(left, wanted.worker)
    found = _users(passwords, lambda worker: _permissions(cluster, worker))
    wanted = replace(wanted, image=wanted.image or _mirrored(cluster))
    objects = _objects(found, wanted)
    _remove_failed(cluster, objects, sleep)
    apply(cluster, _not_there_once(cluster, objects))
    wait(cluster, objects, sleep=sleep)
    return _next_steps(wanted.falco_namespace, passwords)


def checked(cluster: ClusterObjects, wanted: Installation, *, agreed: bool) -> Installation:
    """With the namespace of Falcosidekick. ``agreed``: by --yes. Raises DeploymentError for what
    keeps it from being installed, before anything is made."""
    _refuse_theirs(cluster)
    falco_namespace = _falco_namespace(cluster)
    if falco_namespace != FALCO_NAMESPACE:
        said = f"{_RUNS} is in namespace {falco_namespace} alone: who may read Secrets there"
        confirm([f"{said} could publish alerts"], agreed=agreed, reusable=False)
    made = manifests.NAMESPACE, falco_namespace
    namespace = wanted.worker.namespace if wanted.worker else made[0]
    if namespace not in made and not cluster.find("v1", "Namespace", namespace):
        raise DeploymentError(
            f"there is no namespace {namespace}, for the Secret of the worker's user:"
            f" kubectl create namespace {namespace}"
        )
    return replace(wanted, falco_namespace=falco_namespace)


def printed(wanted: Installation, *, show_secrets: bool) -> Tuple[List[Manifest], List[str]]:
    """What ``install`` makes on a cluster that has nothing of it: without Secrets, or with new
    passwords. And what to warn of."""
    passwords = _new_passwords({}, wanted.worker)
    if not show_secrets:
        passwords = dict.fromkeys(passwords, "?")
    found = _users(passwords, lambda worker: users.of_new_worker(worker.function))
    made = _objects(found, wanted)
    if show_secrets:
        return made, ["the Secrets have new passwords each time this is printed"]
    left_out = ", ".join(shown(m) for m in made if m["kind"] == "Secret")
    said = f"{left_out}: left out (--show-secrets prints them, with new passwords each time)"
    return [m for m in made if m["kind"] != "Secret"], [said]


def _not_there_once(cluster: ClusterObjects, objects: List[Manifest]) -> List[Manifest]:
    there = {identity(m) for m in cluster.get([o for o in objects if o["kind"] in _MADE_ONCE])}
    return [each for each in objects if identity(each) not in there]


def _remove_failed(cluster: ClusterObjects, objects: List[Manifest], sleep: Sleep) -> None:
    """The Jobs that failed earlier, so that they are made again."""
    found = cluster.get([each for each in objects if each["kind"] == "Job"])
    failed = [each for each in found if failure_of(each)]
    for each in failed:
        cluster.delete(each)
    for left in until_gone(cluster, failed, sleep=sleep):
        raise DeploymentError(stuck(left))
    for each in failed:
        print_step("removed", f"{shown(each)}, which failed earlier")


def _permissions(cluster: ClusterObjects, worker: WorkerUser) -> Permissions:
    """Where its Function is there, those on what is named after it, and for its topics."""
    found = _found(cluster, KUBELESS_API, "Function", worker.function, worker.namespace)
    if not found:
        return users.of_new_worker(worker.function)
    uid = found["metadata"]["uid"]
    function = Function(worker.namespace, worker.function, uid)
    return users.of_worker(function, topics_of(cluster, worker.function, worker.namespace))


def _objects(found: Sequence[User], wanted: Installation) -> List[Manifest]:
    image, falco_namespace = wanted.worker_image, wanted.falco_namespace
    archive = b"" if image else program_archive(manifests.PROGRAM)
    needs = "" if image else requirements(_PACKAGES)
    places = [manifests.NAMESPACE, falco_namespace]
    passwords = {user.name: user.password for user in found}
    url = f"nats://{users.FALCOSIDEKICK}:{quote(passwords[users.FALCOSIDEKICK])}@{manifests.HOST}"
    of_falcosidekick = {FALCOSIDEKICK_KEY: f"{url}:{manifests.PORT}"}
    return [
        *(manifests.namespace(place) for place in dict.fromkeys(places)),
        *manifests.server(found, image=wanted.image or IMAGE),
        secret(FALCOSIDEKICK_SECRET, falco_namespace, of_falcosidekick, LABELS),
        *(
            secret(
                worker.secret,
                worker.namespace,
                {USER: worker.user, PASSWORD: passwords[worker.user]},
                LABELS,
            )
            for worker in _workers(passwords)
        ),
        *manifests.streams(image, archive, needs, wanted.variables),
    ]


def _users(
    passwords: Mapping[str, str], permissions: Callable[[WorkerUser], Permissions]
) -> List[User]:
    """``permissions``: of a worker."""
    return [
        User(users.ADMIN, passwords[users.ADMIN]),
        User(users.FALCOSIDEKICK, passwords[users.FALCOSIDEKICK], users.of_falcosidekick()),
        *(User(w.user, passwords[w.user], permissions(w)) for w in _workers(passwords)),
    ]


def _workers(passwords: Mapping[str, str]) -> List[WorkerUser]:
    return [WorkerUser.of(name) for name in passwords if "." in name]


def _gone(
    cluster: ClusterObjects, passwords: Mapping[str, str], worker: Optional[WorkerUser]
) -> List[WorkerUser]:
    """Those whose Secret is gone, perhaps with its namespace; not ``worker``, which gets one."""
    return [
        each
        for each in _workers(passwords)
        if each != worker and not _found(cluster, "v1", "Secret", each.secret, each.namespace)
    ]


def _known_passwords(cluster: ClusterObjects) -> Dict[str, str]:
    """Those that are there, by user."""
    found = cluster.find("v1", "Secret", manifests.USERS_SECRET, manifests.NAMESPACE)
    known = texts_of(found or {})
    known.pop(manifests.USERS_FILE, None)
    return known


def _new_passwords(known: Mapping[str, str], worker: Optional[WorkerUser]) -> Dict[str, str]:
    names = [users.ADMIN, users.FALCOSIDEKICK, *([worker.user] if worker else [])]
    new = {name: secrets.token_urlsafe(24) for name in names if name not in known}
    return dict(sorted({**known, **new}.items()))


def _refuse_theirs(cluster: ClusterObjects) -> None:
    """A NATS that others set up is theirs."""
    for kind, api in (("StatefulSet", "apps/v1"), ("Service", "v1"), ("ConfigMap", "v1")):
        there = cluster.find(api, kind, manifests.NAME, manifests.NAMESPACE)
        if there and not is_ours(there):
            raise DeploymentError(
                f"{shown(there)} is there, and deploy_playbook did not make it: --with-nats is"
                " for a cluster without NATS. docs/nats.md has the users and streams for yours"
            )
    there = cluster.find("v1", "Secret", manifests.USERS_SECRET, manifests.NAMESPACE)
    if there and not is_ours(there):
        raise DeploymentError(f"{shown(there)} is there, and deploy_playbook did not make it")


def _mirrored(cluster: ClusterObjects) -> str:
    """The image that the server has, where it comes from another registry than IMAGE: without it,
    a cluster that reaches no other would be without NATS."""
    found = cluster.find("apps/v1", "StatefulSet", manifests.NAME, manifests.NAMESPACE)
    if not found:
        return ""
    image = str(found["spec"]["template"]["spec"]["containers"][0]["image"])
    return "" if image.rpartition(":")[0] == IMAGE.rpartition(":")[0] else image


def _falco_namespace(cluster: ClusterObjects) -> str:
    """Where Falcosidekick runs, as far as one may look; whoever may make a Deployment can label it
    so."""
    try:
        found = cluster.list(("deployments.apps",), selector=_RUNS)
    except NotPermitted:
        found = []
    places = {str(each["metadata"]["namespace"]) for each in found}
    return places.pop() if len(places) == 1 else FALCO_NAMESPACE


def _found(cluster: ClusterObjects, *which: str) -> Optional[Manifest]:
    """None, too, where the cluster does not know its kind."""
    try:
        return cluster.find(*which)
    except NotFound:
        return None


def _next_steps(falco_namespace: str, passwords: Mapping[str, str]) -> List[str]:
    lines = [
        f"NATS:       {manifests.URL} (the default of NATS_URL)",
        f"its users:  Secret {manifests.NAMESPACE}/{manifests.USERS_SECRET}",
        f"Falcosidekick's values, for Helm in the namespace {falco_namespace}:",
        "    falcosidekick:",
        "      enabled: true",
        "      config:",
        f"        existingSecret: {FALCOSIDEKICK_SECRET}",
    ]
    workers = _workers(passwords)
    for worker in workers:
        lines.append(f"deploy {worker.function} in the namespace {worker.namespace} with")
        lines.append(
            f"    -s NATS_USER={worker.secret}/{USER} -s NATS_PASSWORD={worker.secret}/{PASSWORD}"
        )
    if not workers:
        lines.append("a user for a worker: deploy_playbook -S --with-nats -p PLAYBOOK -n NAMESPACE")
    return lines
