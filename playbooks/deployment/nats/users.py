"""The users of a NATS server that Falco's alerts go through, each with the rights that it needs.

The one source of these rights: docs/nats-users.conf is rendered from it, and so is what
``deploy_playbook -S --with-nats`` gives a server.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import List, Optional, Sequence

from playbooks.core.instant import Instant
from playbooks.engines.worker.function import (
    ALERT_STREAM,
    ALERTS,
    DEAD_LETTER_STREAM,
    INBOX_STREAM,
    OUTCOME_STREAM,
    Function,
)

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
    return Permissions([ALERTS])


def of_worker(
    function: str = ANY, uid: str = ANY, topics: Optional[Sequence[str]] = None
) -> Permissions:
    """Of the worker that serves ``function``: its consumers, inbox, dead letters and outcomes.

    ``uid``: that of the Function; its consumers are named after it. ``topics``: those that it may
    have consumers for; None for all. A wildcard of NATS stands for a whole token: with no uid, a
    worker reaches the consumers of others, too.
    """
    own = Function("", function, uid, Instant(0), {})
    inbox = own.inbox_consumer if uid != ANY else ANY
    exact = topics is not None and uid != ANY
    alerts = [own.consumer(topic) for topic in topics or ()] if exact else [ANY]
    consumers = [*((ALERT_STREAM, name) for name in alerts), (INBOX_STREAM, inbox)]
    streams = (ALERT_STREAM, INBOX_STREAM)
    return Permissions(
        publish=[
            *("$JS.API.STREAM.LIST", f"$JS.API.CONSUMER.LIST.{ALERT_STREAM}"),
            *(f"$JS.API.CONSUMER.CREATE.{stream}.{name}.>" for stream, name in consumers),
            *(f"$JS.API.CONSUMER.INFO.{stream}.{name}" for stream, name in consumers),
            # Also those of topics that it no longer has.
            f"$JS.API.CONSUMER.DELETE.{ALERT_STREAM}.{ANY}",
            f"$JS.API.CONSUMER.DELETE.{INBOX_STREAM}.{inbox}",
            *(f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{name}" for stream, name in consumers),
            *(f"$JS.ACK.{stream}.>" for stream in streams),
            f"$JS.API.STREAM.MSG.GET.{DEAD_LETTER_STREAM}",
            f"$JS.API.STREAM.MSG.DELETE.{DEAD_LETTER_STREAM}",
            f"$JS.API.CONSUMER.CREATE.{OUTCOME_STREAM}.{ANY}.>",
            f"$JS.API.CONSUMER.MSG.NEXT.{OUTCOME_STREAM}.{ANY}",
            *(own.dead_letters, own.inbox, own.outcome(ANY), own.outcomes),
        ],
        subscribe=["_INBOX.>", own.outcome(ANY)],
    )


def documented() -> List[User]:
    """Those of docs/nats-users.conf: one for all workers, passwords in the server's environment."""
    return [
        User(ADMIN, "$ADMIN"),
        User(FALCOSIDEKICK, "$FALCOSIDEKICK", of_falcosidekick()),
        User("worker", "$WORKER", of_worker()),
    ]


def configuration(users: Sequence[User]) -> str:
    """The ``authorization`` of a server's configuration file."""
    lines = ["authorization {", "  users = ["]
    for user in users:
        lines += _lines(user)
    return "\n".join([*lines, "  ]", "}", ""])


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
