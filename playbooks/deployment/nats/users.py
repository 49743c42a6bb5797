"""The users of a NATS server that Falco's alerts go through, each with the rights that it needs.

``playbooks.deployment.generate`` writes docs/nats-users.conf from them, and ``deploy_playbook -S
--with-nats`` gives them to a server. The rights of a worker whose Function is there are those that
``falco-playbook nats-user`` prints.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import List, Optional, Sequence

from playbooks.core.instant import Instant
from playbooks.engines.worker import nats_permissions
from playbooks.engines.worker.function import ALERTS, DEAD_LETTERS, INBOXES, OUTCOMES, Function

ADMIN = "admin"
FALCOSIDEKICK = "falcosidekick"

#: One token of a subject, whatever it is.
ANY = "*"


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


def of_falcosidekick() -> Permissions:
    return Permissions([ALERTS.subjects])


def of_worker(function: Function, topics: Sequence[str]) -> Permissions:
    """Of the worker that serves the function: its own consumers, inbox, dead letters, outcomes."""
    return Permissions(
        nats_permissions.publishing(function, topics), nats_permissions.subscribing(function)
    )


def of_new_worker(function: str = ANY) -> Permissions:
    """Of a worker whose Function is not there yet. A wildcard of NATS stands for a whole token, so
    that it reaches the consumers and inboxes of others, too."""
    own = Function("", function, ANY, Instant(0), {})
    streams = (ALERTS.name, INBOXES.name)
    return Permissions(
        publish=[
            *("$JS.API.STREAM.LIST", f"$JS.API.CONSUMER.LIST.{ALERTS.name}"),
            *(f"$JS.API.CONSUMER.CREATE.{stream}.{ANY}.>" for stream in streams),
            *(f"$JS.API.CONSUMER.INFO.{stream}.{ANY}" for stream in streams),
            *(f"$JS.API.CONSUMER.DELETE.{stream}.{ANY}" for stream in streams),
            *(f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{ANY}" for stream in streams),
            *(f"$JS.ACK.{stream}.>" for stream in streams),
            f"$JS.API.STREAM.MSG.GET.{DEAD_LETTERS.name}",
            f"$JS.API.STREAM.MSG.DELETE.{DEAD_LETTERS.name}",
            f"$JS.API.CONSUMER.CREATE.{OUTCOMES.name}.{ANY}.>",
            f"$JS.API.CONSUMER.MSG.NEXT.{OUTCOMES.name}.{ANY}",
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
    name, variable = nats_permissions.user(function)
    return "\n".join([*_lines(User(name, f"${variable}", permissions)), ""])


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
