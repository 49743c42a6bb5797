"""``falco-playbook nats-user``: a NATS user for one worker, with what that needs and no more."""

from __future__ import annotations

import secrets
from typing import Tuple

import click

from playbooks.commands.options import Selection, Session, command, outputs, selects
from playbooks.core import subjects
from playbooks.deployment.nats.install import PASSWORD, USER
from playbooks.deployment.nats.users import WorkerUser, block, of_worker
from playbooks.deployment.terminal import documents
from playbooks.engines.worker.function import ALERTS, Function

# The Secret that nats-values.yaml gives the server its passwords from.
SERVER_SECRET = "nats-users"


@command(
    "nats-user -p delete -n responders",
    "nats-user -p delete -n responders -o secret",
)
@selects
@outputs("conf", "values", "secret")
@click.option(
    "-t",
    "--topic",
    "more",
    multiple=True,
    metavar="TOPIC",
    help="A topic that it shall have beside those of its triggers. May be given several times.",
)
@click.option(
    "--stream",
    default=ALERTS.name,
    show_default=True,
    metavar="STREAM",
    help="The stream that has the alerts.",
)
@click.option(
    "--dead/--no-dead",
    default=True,
    help="Whether it may do what 'falco-playbook dead' needs, which reaches the dead letters of all"
    " workers. Default: it may.",
)
def nats_user(
    session: Session, which: Selection, output: str, more: Tuple[str, ...], stream: str, dead: bool
) -> int:
    """Print the NATS user of a worker: its exact permissions.

    conf: its block in the configuration of nats-server. values: the variable with its password, in
    the values of NATS' Helm chart. secret: a Secret of the worker with a new password.
    """
    which.check(*_problems(more, stream))
    deployed = session.find(which)
    worker = WorkerUser(deployed.function, deployed.namespace)
    if output == "values":
        print(_values(worker), end="")
    elif output == "secret":
        print(_secret(worker), end="")
    else:
        function = Function(deployed.namespace, deployed.function, deployed.uid)
        topics = (*deployed.topics(), *more)
        print(block(function, of_worker(function, topics, stream=stream, dead=dead)), end="")
    return 0


def _problems(more: Tuple[str, ...], stream: str) -> Tuple[str, ...]:
    said = [(topic, subjects.malformed(topic)) for topic in more]
    found = [f"--topic is {topic!r}: {why}" for topic, why in said if why]
    if not stream or any(letter in stream for letter in " .*>/\\"):
        found.append(f"--stream is {stream!r}, expected the name of a stream")
    return tuple(found)


def _values(worker: WorkerUser) -> str:
    key = {"name": SERVER_SECRET, "key": worker.variable}
    variables = {worker.variable: {"valueFrom": {"secretKeyRef": key}}}
    return documents([{"container": {"env": variables}}], sort_keys=False)


def _secret(worker: WorkerUser) -> str:
    # NATS takes what begins with a digit for a number.
    password = f"w{secrets.token_hex(16)}"
    manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": worker.secret, "namespace": worker.namespace},
        "stringData": {USER: worker.user, PASSWORD: password},
    }
    return documents([manifest], sort_keys=False)
