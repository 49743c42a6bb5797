"""The users of a NATS server that Falco's alerts go through, each with the rights that it needs.

``playbooks.deployment.generate`` writes docs/nats-users.conf from them, and ``deploy_playbook -S
--with-nats`` gives them to a server. The rights of a worker whose Function is there are those that
``falco-playbook nats-user`` prints.
Source: https://docs.nats.io/reference/reference-protocols/nats_api_reference
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Iterable, List, Optional, Sequence

from playbooks.engines.worker.function import (
    ALERTS,
    DEAD_LETTERS,
    INBOXES,
    OUTCOMES,
    Function,
    inbox_prefix,
    readers,
)

ADMIN = "admin"
FALCOSIDEKICK = "falcosidekick"

#: One token of a subject, whatever it is.
ANY = "*"

_CREATE, _NEXT = "$JS.API.CONSUMER.CREATE", "$JS.API.CONSUMER.MSG.NEXT"
_INFO, _DELETE = "$JS.API.CONSUMER.INFO", "$JS.API.CONSUMER.DELETE"


@dataclass(frozen=True)
class Permissions:
    """The subjects that a user may publish on and subscribe to, and no others."""

    publish: Sequence[str]
    subscribe: Sequence[str] = ()


@dataclass(frozen=True)
class User:
    """``password``: text, or ``$NAME`` of a variable of the server's environment. Without
    ``permissions`` the user may do everything."""

    name: str
    password: str
    permissions: Optional[Permissions] = None


@dataclass(frozen=True)
class WorkerUser:
    """That of a worker: the function ``falco-NAME`` of a namespace. ``variable``: of the server's
    environment, where that has its password."""

    function: str
    namespace: str

    @property
    def user(self) -> str:
        return f"{self.namespace}.{self.function}"

    @property
    def variable(self) -> str:
        return re.sub("[^A-Z0-9]", "_", self.user.upper())

    @property
    def secret(self) -> str:
        return f"{self.function}-nats"

    @property
    def place(self) -> str:
        return f"{self.namespace}/{self.secret}"

    @classmethod
    def of(cls, user: str) -> WorkerUser:
        namespace, _, function = user.partition(".")
        return cls(function, namespace)


def of_falcosidekick() -> Permissions:
    return Permissions([ALERTS.subjects])


def of_worker(
    function: Function, topics: Iterable[str], *, stream: str = ALERTS.name, dead: bool = True
) -> Permissions:
    """Of the worker that serves the function: on its own consumers, inbox and answers, and on those
    of no other. Subscribing to all of ``_INBOX.>`` would show it what other clients of the account
    are told, alerts among it.

    ``stream``: that has the alerts. ``dead``: also what ``falco-playbook dead`` needs, and counting
    dead letters, which reaches those of all workers.
    """
    publish = ["$JS.API.STREAM.LIST", f"$JS.API.CONSUMER.LIST.{stream}"]
    for topic in sorted(set(topics)):
        publish += _consumer(stream, function.consumer(topic), topic)
    publish += _consumer(INBOXES.name, function.consumer(""), function.inbox)
    for name in readers(function.namespace, function.name):
        publish += [f"{_CREATE}.{stream}.{name}.{ALERTS.subjects}", f"{_NEXT}.{stream}.{name}"]
        publish += [f"{_DELETE}.{stream}.{name}"]
        publish += [f"{_CREATE}.{OUTCOMES.name}.{name}.{function.outcomes}"]
        publish += [f"{_NEXT}.{OUTCOMES.name}.{name}"]
    publish += [function.dead_letters, f"{function.dead_letters}.*"]
    publish += [function.inbox, function.outcome(">"), function.outcomes]
    if dead:
        publish += [f"$JS.API.STREAM.MSG.{verb}.{DEAD_LETTERS.name}" for verb in ("GET", "DELETE")]
    own_inbox = f"{inbox_prefix(function.namespace, function.name)}.>"
    return Permissions(publish, [own_inbox, function.outcome(">")])


def _consumer(stream: str, name: str, subject: str) -> List[str]:
    return [
        f"{_CREATE}.{stream}.{name}.{subject}",
        *(f"{call}.{stream}.{name}" for call in (_INFO, _DELETE, _NEXT)),
        f"$JS.ACK.{stream}.{name}.>",
    ]


def of_new_worker(function: str = ANY) -> Permissions:
    """Of a worker whose Function is not there yet. A wildcard of NATS stands for a whole token, so
    that it reaches the consumers and inboxes of others, too."""
    own = Function("", function, ANY)
    streams = (ALERTS.name, INBOXES.name)
    return Permissions(
        publish=[
            *("$JS.API.STREAM.LIST", f"$JS.API.CONSUMER.LIST.{ALERTS.name}"),
            *(f"{_CREATE}.{stream}.{ANY}.>" for stream in streams),
            *(f"{call}.{stream}.{ANY}" for call in (_INFO, _DELETE, _NEXT) for stream in streams),
            *(f"$JS.ACK.{stream}.>" for stream in streams),
            f"$JS.API.STREAM.MSG.GET.{DEAD_LETTERS.name}",
            f"$JS.API.STREAM.MSG.DELETE.{DEAD_LETTERS.name}",
            f"{_CREATE}.{OUTCOMES.name}.{ANY}.>",
            f"{_NEXT}.{OUTCOMES.name}.{ANY}",
            *(own.dead_letters, f"{own.dead_letters}.*"),
            *(own.inbox, own.outcome(ANY), own.outcomes),
        ],
        subscribe=["_INBOX.>", own.outcome(ANY)],
    )


def documented() -> List[User]:
    """Those of docs/nats-users.conf: one for all workers, passwords in the server's environment."""
    return [
        User(ADMIN, "$ADMIN"),
        User(FALCOSIDEKICK, "$FALCOSIDEKICK", of_falcosidekick()),
        User("worker", "$WORKER", of_new_worker()),
    ]


def configuration(users: Sequence[User]) -> str:
    """The ``authorization`` of a server's configuration file."""
    lines = ["authorization {", "  users = ["]
    for user in users:
        lines += _lines(user)
    return "\n".join([*lines, "  ]", "}", ""])


def block(function: Function, permissions: Permissions) -> str:
    """Of the user of a function's worker, for the list ``users`` in ``authorization``."""
    worker = WorkerUser(function.name, function.namespace)
    return "\n".join([*_lines(User(worker.user, f"${worker.variable}", permissions)), ""])


def _lines(user: User) -> List[str]:
    password = user.password if user.password.startswith("$") else json.dumps(user.password)
    named = f"user: {json.dumps(user.name)}, password: {password}"
    if user.permissions is None:
        return [f"    {{ {named} }}"]
    return [
        f"    {{ {named}, permissions: {{",
        *_subjects("publish", user.permissions.publish),
        *_subjects("subscribe", user.permissions.subscribe),
        "    } }",
    ]


def _subjects(right: str, subjects: Sequence[str]) -> List[str]:
    if not subjects:
        return [f'      {right}: {{ deny: ">" }}']
    return [
        f"      {right}: [",
        *(f"        {json.dumps(subject)}" for subject in subjects),
        "      ]",
    ]
