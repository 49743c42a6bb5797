"""A worker of the playbook delete, with a cluster in memory that takes 50 calls a second.

Pods are those of ``pods`` in its directory: a line each, namespace, name and uid. What it deletes
goes on terminating; ``actions`` has the name and the time, a line each.
"""

import asyncio
import os
import sys
import time
from functools import partial
from pathlib import Path

from playbooks.core.playbook import Playbook
from playbooks.core.ports import Cluster
from playbooks.delete import build
from playbooks.engines.worker.bootstrap import bootstrap
from playbooks.engines.worker.worker import Ended
from playbooks.infrastructure import wiring
from playbooks.infrastructure.kubernetes.limits import ApiLimits
from playbooks.infrastructure.memory.cluster import MemoryCluster, MemoryLedger
from playbooks.reactions.delete_pod import DeletePod
from specs.engines.worker.child import DIRECTORY, FakeObjects

LIMITS = ApiLimits()
LIMITS.set(per_second=50, connections=10)


def slowly(name):
    def call(self, *given, **named):
        LIMITS.wait()
        return getattr(MemoryCluster, name)(self, *given, **named)

    return call


class SlowCluster(MemoryCluster):
    for _name in Cluster.__abstractmethods__:
        locals()[_name] = slowly(_name)

    def delete_pod(self, pod, *, grace_period_seconds):
        LIMITS.wait()
        super().delete_pod(pod, grace_period_seconds=grace_period_seconds)
        with (DIRECTORY / "actions").open("a") as file:
            file.write(f"{pod.name} {time.time()}\n")


def cluster():
    made = SlowCluster()
    for line in (DIRECTORY / "pods").read_text().splitlines():
        namespace, name, uid = line.split()
        made.put({"kind": "Namespace", "metadata": {"name": namespace}})
        metadata = {
            "name": name,
            "namespace": namespace,
            "uid": uid,
            "creationTimestamp": "2026-01-02T02:00:00Z",
            "finalizers": ["specs/kept"],
        }
        spec = {"nodeName": "node-1", "containers": [{"name": "web"}]}
        made.put(
            {"kind": "Pod", "metadata": metadata, "spec": spec, "status": {"phase": "Running"}}
        )
    return made


async def run():
    made = partial(wiring.of_cluster, cluster(), MemoryLedger())
    playbook = Playbook("delete", DeletePod, build, made, ())
    await bootstrap(playbook, FakeObjects(), os.environ).run()


if __name__ == "__main__":
    assert Path(DIRECTORY).is_dir()
    try:
        asyncio.run(run())
        code = 0
    except Ended:
        code = 1
    sys.stderr.flush()
    os._exit(code)
