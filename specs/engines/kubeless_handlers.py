"""Functions as Kubeless would call them, for the specs of processes."""

import os
import sys
import time

from playbooks.core.errors import NotPermitted
from playbooks.core.outcome import Outcome
from playbooks.core.playbook import Playbook
from playbooks.engines import kubeless
from playbooks.infrastructure.this_pod import SystemClock
from playbooks.testing import FakeReaction, some_collaborators

calls = 0


class Planning(FakeReaction):
    TARGETS = "pods"


playbook = Playbook(
    "planning",
    Planning,
    lambda settings, collaborators: Planning(Outcome.skipped("planned", "planned")),
    lambda name, settings: some_collaborators(clock=SystemClock()),
    packages=(),
)
handler = kubeless.handler(playbook)


def answering(event, context):
    """Says what it was called with."""
    global calls
    calls += 1
    return Outcome.acted(
        "pod shop/web-0",
        "done",
        "done",
        data=repr(event["data"]),
        event={key: event[key] for key in ("event-type", "event-namespace")},
        context=context,
        calls=calls,
        process=os.getpid(),
    ).to_dict()


def refusing(event, context):
    raise NotPermitted("may not")


def buggy(event, context):
    raise KeyError("the bug")


def slow(event, context):
    time.sleep(60)


def dying(event, context):
    os._exit(7)


def unreadable(event, context):
    return lambda: None


def confused(event, context):
    return 42


def noisy(event, context):
    print("to stdout", flush=True)
    print("to stderr", file=sys.stderr)
    return answering(event, context)
