"""What a run acts on: a real cluster, the stand-in, or no cluster at all."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Iterable, Iterator, List, Mapping, Optional, Sequence

from playbooks.core.alert import Alert
from playbooks.core.cluster.node import Node
from playbooks.core.cluster.pod import Pod
from playbooks.core.errors import NoCluster, PlaybookError, RetryableError
from playbooks.core.outcome import Outcome
from playbooks.core.ports import Cluster
from playbooks.engines.local import aftermath
from playbooks.engines.local.aftermath import Row
from playbooks.engines.local.failure import CannotStart
from playbooks.engines.local.lines import STANDARD_INPUT

# A file beside the alerts, with objects of which alerts cannot tell.
MANIFESTS = "stand-in.yaml"

# Names more files like it.
VARIABLE = "STANDIN_OBJECTS"

# Rows of the table at the end.
MOST_ROWS = 60


@dataclass(frozen=True)
class RealCluster:
    """``words``: which one it is. ``environ``: what the playbook's process needs to find it."""

    words: str
    environ: Mapping[str, str]


Find = Callable[[Mapping[str, str]], Optional[RealCluster]]


class Surroundings:
    """No cluster, as for a playbook that needs none."""

    words: Sequence[str] = ()
    title = ""

    def expect(self, alerts: Iterable[Alert]) -> None:
        """These are going to come."""

    def arrives(self, alert: Alert) -> None:
        """This one comes now."""

    def afterwards(self, _acted: Sequence[Outcome]) -> List[Row]:
        return []


class Real(Surroundings):
    title = "What was acted on, read again"

    def __init__(self, found: RealCluster, cluster: Optional[Cluster]) -> None:
        self._cluster = cluster
        self.words = (f"This acts on {found.words}",)

    def afterwards(self, _acted: Sequence[Outcome]) -> List[Row]:
        return aftermath.of_cluster(self._cluster, _acted) if self._cluster else []


class InMemory(Surroundings):
    title = "The stand-in afterwards"

    def __init__(self, url: str, objects: Any, files: Sequence[Path]) -> None:
        self._objects = objects
        added = f", {' and '.join(map(str, files))} adds to them" if files else ""
        self.words = (
            "STAND-IN, NOT A CLUSTER: there is no kubeconfig, so this acts on a Kubernetes API in"
            f" memory. Its pods and nodes are made up from the alerts{added}; nothing runs in them,"
            f" and no controller replaces what is deleted. While it is there, kubectl -s {url}"
            " shows it.",
        )

    def expect(self, alerts: Iterable[Alert]) -> None:
        from playbooks.engines.local.standin.scene import scene

        for manifest in scene(alerts):
            self._objects.put(manifest)

    def arrives(self, alert: Alert) -> None:
        self.expect([alert])

    def afterwards(self, _acted: Sequence[Outcome]) -> List[Row]:
        from playbooks.engines.local.standin.kinds import BY_NAME

        pods = {(p.namespace, p.name): p for p in map(Pod, self._objects.all(BY_NAME["Pod"]))}
        rows = [
            aftermath.pod_row(f"{namespace}/{name}", pods.get((namespace, name)))
            for namespace, name in self._objects.ever(BY_NAME["Pod"])
        ]
        rows += [aftermath.node_row(Node(each)) for each in self._objects.all(BY_NAME["Node"])]
        policies = self._objects.all(BY_NAME["NetworkPolicy"])
        rows += [aftermath.policy_row(each) for each in policies]
        left = len(rows) - MOST_ROWS
        return [*rows[:MOST_ROWS], *([("", f"and {left} more", "")] if left > 0 else [])]


@contextmanager
def surroundings(
    environ: Mapping[str, str],
    files: Sequence[str],
    *,
    needed: bool,
    find: Find,
    cluster: Callable[[], Optional[Cluster]],
) -> Iterator[Surroundings]:
    """Sets this process's environment for its children. Raises CannotStart.

    ``files``: the alerts, whose directories may hold a file of more objects. ``needed``: whether
    the playbook asks anything of a cluster. ``find`` says which real one there is, and ``cluster``
    makes what reads it afterwards.
    """
    os.environ.update(environ)
    try:
        found = find(environ)
    except NoCluster as error:
        raise CannotStart(str(error)) from error
    if not needed:
        yield Surroundings()
    elif found:
        os.environ.update(found.environ)
        chosen = cluster()
        if chosen:
            _check(chosen, found)
        yield Real(found, chosen)
    else:
        with _stand_in(environ, files) as made:
            yield made


def _check(cluster: Cluster, found: RealCluster) -> None:
    """Better no alert than each of them tried in vain for as long as a function may take."""
    try:
        cluster.node("falco-playbooks-is-anybody-there")
    except (RetryableError, NoCluster) as error:
        raise CannotStart(f"{error}\nthis would act on {found.words}") from error
    except PlaybookError:
        pass  # It answers: there is no such node, or we may not know.


@contextmanager
def _stand_in(environ: Mapping[str, str], files: Sequence[str]) -> Iterator[Surroundings]:
    if sys.version_info < (3, 11):
        raise CannotStart(
            "there is no kubeconfig, and the stand-in for a cluster needs Python 3.11 or later:"
            f" this is {sys.version_info[0]}.{sys.version_info[1]}. Set KUBECONFIG, or use a newer"
            " Python"
        )
    try:
        from playbooks.engines.local.standin.manifests import load
        from playbooks.engines.local.standin.objects import Objects
        from playbooks.engines.local.standin.server import StandIn
    except ImportError as error:
        raise CannotStart(
            f"there is no kubeconfig, and the stand-in for a cluster needs {error.name}:"
            f" pip install {error.name}. Or set KUBECONFIG"
        ) from error
    objects, manifests = Objects(), _manifests(environ, files)
    for path in manifests:
        load(path, objects)
    with tempfile.TemporaryDirectory(prefix="falco-stand-in-") as directory, StandIn(
        objects
    ) as server:
        kubeconfig = Path(directory) / "kubeconfig"
        server.write_kubeconfig(kubeconfig)
        os.environ.update(
            {
                "KUBECONFIG": str(kubeconfig),
                "KUBERNETES_LOAD_KUBE_CONFIG": "1",
                "NO_PROXY": f"127.0.0.1,{environ.get('NO_PROXY', '')}",
            }
        )
        yield InMemory(server.url, objects, manifests)


def _manifests(environ: Mapping[str, str], files: Sequence[str]) -> List[Path]:
    named = [Path(name) for name in environ.get(VARIABLE, "").split(",") if name.strip()]
    beside = [Path(file).parent / MANIFESTS for file in files if file != STANDARD_INPUT]
    return list(dict.fromkeys([*named, *(path for path in beside if path.is_file())]))
