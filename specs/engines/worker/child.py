"""The worker as a process of its own, with a fake cluster in a directory.

``cluster.json`` holds the Function and its triggers; the file ``away`` stands for an API server
that is away. The reaction does what an alert's rule says, and writes ``actions`` a line each.
"""

import asyncio
import json
import os
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from playbooks.engines.worker.nats import consumers

# What takes half a minute at work takes two seconds here.
consumers.ACK_WAIT = 2

from playbooks import delete
from playbooks.core.action import Action
from playbooks.core.errors import (
    ClusterUnavailable,
    Conflict,
    CredentialsRefused,
    NotFound,
    NotPermitted,
    SlackUnavailable,
)
from playbooks.core.ledger import counts
from playbooks.core.ledger.limits import Limits
from playbooks.core.outcome import Outcome
from playbooks.core.playbook import Playbook
from playbooks.core.ports import ClusterCollaborators, Collaborators, LedgerStore
from playbooks.core.reaction import Reaction
from playbooks.engines.worker import http_api
from playbooks.engines.worker.__main__ import spans_of
from playbooks.engines.worker.bootstrap import bootstrap
from playbooks.engines.worker.nats import durable, renamed
from playbooks.engines.worker.settings import worker_settings
from playbooks.engines.worker.work import work
from playbooks.engines.worker.worker import Ended
from playbooks.infrastructure.kubernetes.api import VersionGone
from playbooks.infrastructure.kubernetes.kubeless import KubelessObjects
from playbooks.infrastructure.ledger import StoredLedger
from playbooks.infrastructure.this_pod import SystemClock, ThisPod
from playbooks.testing import InMemoryCluster, a_pod, a_replica_controller

durable.FAREWELL = durable.LOOK = 1.0

# What a worker looks for now and then, it looks for all the time where a spec is about that.
if "WORKER_SPEC_LOOKS" in os.environ:
    work.LOOK, renamed.LOOK, renamed.LONG = 1.0, 0.5, 1.0
http_api.PATIENCE = http_api.ANSWER = 2.0

OF, WINDOW = Limits.of, "WORKER_SPEC_WINDOW"
DIRECTORY = Path(os.environ.get("WORKER_SPEC_DIRECTORY", "."))


class FakeApi:
    def _read(self):
        if (DIRECTORY / "away").exists():
            raise ClusterUnavailable("away")
        return json.loads((DIRECTORY / "cluster.json").read_text())

    def get(self, *path):
        if path[-1] == "natstriggers":
            return {"items": self._read()["triggers"], "metadata": {"resourceVersion": "1"}}
        found = self._read()["function"]
        if found is None:
            raise NotFound("no Function")
        return found

    @contextmanager
    def watch(self, *path, seconds, resourceVersion):
        yield self._nothing_until_changed()

    def _nothing_until_changed(self):
        before = self._read()["triggers"]
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline:
            time.sleep(0.1)
            if self._read()["triggers"] != before:
                raise VersionGone("too old")
        yield from ()


class FakeObjects(KubelessObjects):
    def __init__(self):
        super().__init__("specs", "falco-fake", api=FakeApi())

    def may(self, verb, resource, group, namespace):
        return not (DIRECTORY / "unbound").exists()

    def missing(self):
        if (DIRECTORY / "refused").exists():
            return "the account is refused"
        return "the API server is away" if (DIRECTORY / "away").exists() else ""


class Told(Reaction):
    """Does what the rule says."""

    def plan(self, alert):
        if (DIRECTORY / "away").exists():
            raise ClusterUnavailable("away")
        if (DIRECTORY / "refused").exists():
            raise CredentialsRefused("401")
        return Action("act", f"pod {alert.output}", "act", lambda: self._act(alert))

    def _act(self, alert):
        rule, _, rest = alert.rule.partition(" ")
        if rule == "slow":
            self._write("began", alert)
            time.sleep(float(rest))
        if rule == "crash":
            os.kill(os.getpid(), 9)
        if rule == "forbidden":
            raise NotPermitted("not allowed")
        if rule == "unavailable":
            self._write("tries", alert)
            raise SlackUnavailable("not now")
        if rule == "bug":
            raise KeyError("a bug")
        if rule == "once" and self._write("tries", alert) == 1:
            raise SlackUnavailable("not now")
        self._write("actions", alert)
        return Outcome.acted(f"pod {alert.output}", "done", "done")

    def _write(self, name, alert):
        path = DIRECTORY / name
        with path.open("a") as file:
            file.write(f"{alert.output}\n")
        return path.read_text().splitlines().count(alert.output)


class Kept(LedgerStore):
    """A ledger in a file, for one worker after the other."""

    def read(self):
        path = DIRECTORY / "ledger"
        text = path.read_text() if path.exists() else ""
        return text, str(hash(text))

    def write(self, text, *, version):
        if version != self.read()[1]:
            raise Conflict("written since")
        (DIRECTORY / "ledger").write_text(text)
        return str(hash(text))


class Guarded(InMemoryCluster):
    """The account may nothing while there is a file ``unbound``, and not delete the pods that the
    file ``denied`` names."""

    def pod(self, name, *, namespace):
        self._refuse_unless(not (DIRECTORY / "unbound").exists())
        return super().pod(name, namespace=namespace)

    def delete_pod(self, pod, *, grace_period_seconds):
        denied = DIRECTORY / "denied"
        self._refuse_unless(not denied.exists() or pod.name not in denied.read_text().split())
        super().delete_pod(pod, grace_period_seconds=grace_period_seconds)

    def _refuse_unless(self, allowed):
        if not allowed:
            raise NotPermitted("forbidden (403)")


def limited():
    """The playbook delete, on pods in memory that one ReplicaSet of one replica owns. A window of
    a minute takes WINDOW seconds here."""
    Limits.of = lambda settings: replace(OF(settings), window=float(os.environ[WINDOW]))
    counts.GRAIN = 1
    cluster = Guarded(a_replica_controller("web", replicas=1))
    for number in range(9):
        cluster.put(a_pod(f"web-{number}", uid=f"uid-{number}", owner="ReplicaSet/web"))
    for number in range(9):
        cluster.put(a_pod(f"till-{number}", uid=f"till-{number}", namespace="till"))
    collaborators = ClusterCollaborators(SystemClock(), ThisPod({}), cluster, StoredLedger(Kept()))
    return replace(delete.playbook, collaborators=lambda name, settings: collaborators)


def playbook():
    if WINDOW in os.environ:
        return limited()
    return Playbook(
        "fake",
        Told,
        lambda settings, collaborators: Told(),
        lambda name, settings: Collaborators(SystemClock(), ThisPod({})),
        packages=(),
    )


async def run():
    spans = spans_of(worker_settings(os.environ))
    await bootstrap(playbook(), FakeObjects(), os.environ, spans=spans).run()


if __name__ == "__main__":
    try:
        asyncio.run(run())
        code = 0
    except Ended:
        code = 1
    sys.stderr.flush()
    os._exit(code)
