"""Whether the account still has the rights without which no alert can be answered.

An alert that is refused one object, or all of one namespace, is refused alone: who may write roles
in a namespace decides on that namespace, and not on everybody else's alerts.
"""

from __future__ import annotations

import time
from typing import Callable, Mapping, Sequence, Tuple

from playbooks.core.cluster.permissions import Permission
from playbooks.core.errors import PlaybookError
from playbooks.core.guards.filters import acts_in
from playbooks.core.playbook import Playbook

# Seconds between two looks: who has many alerts refused makes no storm of questions.
PAUSE = 1.0

# What is only told to people needs no right for an alert to be answered.
_EVENTS = "events.k8s.io"

# verb, resource, API group and namespace.
May = Callable[[str, str, str, str], bool]


class OwnRights:
    """``may`` asks the API server, and blocks. ``limited``: the only namespaces in which the
    playbook acts, none for all. ``own``: that of the function."""

    def __init__(
        self,
        may: May,
        needed: Sequence[Permission],
        *,
        limited: Sequence[str],
        own: str,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._may = may
        self._needed = [
            (verb, permission, permission.places(limited, own))
            for permission in needed
            for verb in permission.verbs
        ]
        self._clock = clock
        self._sleep = sleep
        self._asked = float("-inf")

    @classmethod
    def of(cls, playbook: Playbook, environ: Mapping[str, str], may: May, own: str) -> OwnRights:
        rights = playbook.rights(environ)
        needed = [p for p in rights if p.group != _EVENTS and not p.optional]
        return cls(may, needed, limited=acts_in(environ), own=own)

    def missing(self) -> str:
        """A right that is granted in no namespace any more, in words, or empty. Empty, too, where
        the API server does not tell. Waits for its turn, and asks anew."""
        self._sleep(max(0.0, self._asked + PAUSE - self._clock()))
        self._asked = self._clock()
        try:
            return self._first()
        except PlaybookError:
            return ""

    def _first(self) -> str:
        for verb, permission, places in self._needed:
            what = verb, permission.resource, permission.group
            if not any(self._may(*what, place) for place in places):
                return (
                    f"the account may not {verb} {permission.resource}{_where(places)}: its role or"
                    " binding is gone, and deploying again makes it"
                )
        return ""


def _where(places: Tuple[str, ...]) -> str:
    named = [place for place in places if place]
    return f" in {' or '.join(named)}" if named else ""
