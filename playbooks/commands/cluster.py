"""The cluster as falco-playbook sees it: kubectl, with a few verbs more than deploy_playbook needs.

kubectl and not the stream client of the kubernetes package: deploy_playbook wants kubectl anyway,
it finds the same cluster with the same credentials, speaks SPDY to API servers and proxies that
refuse WebSockets, and gives standard output, standard error and the exit code apart. The stream
client needs one package more, and cuts UTF-8 between its frames.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, Mapping, Sequence

from playbooks.core.cluster.manifest import identity
from playbooks.deployment.kubectl import Kubectl
from playbooks.deployment.kubectl_process import KubectlProcess

# Seconds for a command in a pod, which may read thousands of messages.
TIMEOUT = 600


@dataclass(frozen=True)
class Executed:
    code: int
    out: str
    err: str


class Cluster(Kubectl):
    @abstractmethod
    def execute(self, namespace: str, pod: str, container: str, command: Sequence[str]) -> Executed:
        """Run a command in a container. kubectl's own failures look like the command's."""

    @abstractmethod
    def annotate(self, namespace: str, pod: str, annotation: str) -> None:
        """``annotation``: KEY=VALUE, which replaces one of that key."""

    @abstractmethod
    def whoami(self) -> str:
        """The name that the API server has for who asks, or "" where it does not tell."""

    @abstractmethod
    def patch(
        self,
        manifest: Mapping[str, Any],
        change: Mapping[str, Any],
        *,
        user: str = "",
        dry_run: bool = False,
    ) -> None:
        """Merge a change into an object, as somebody else where ``user`` is not empty."""


class ClusterProcess(KubectlProcess, Cluster):
    def execute(self, namespace: str, pod: str, container: str, command: Sequence[str]) -> Executed:
        place = ("--namespace", namespace, "--container", container, "--pod-running-timeout=10s")
        # Without --request-timeout: it ends the stream too.
        done = self._ended("exec", *place, pod, "--", *command)
        return Executed(done.returncode, done.stdout, done.stderr)

    def annotate(self, namespace: str, pod: str, annotation: str) -> None:
        self._run("annotate", "--overwrite", "--namespace", namespace, "pod", pod, annotation)

    def whoami(self) -> str:
        """Since Kubernetes 1.28."""
        done = self._ended("auth", "whoami", "--output", "jsonpath={.status.userInfo.username}")
        return "" if done.returncode else done.stdout.strip()

    def patch(
        self,
        manifest: Mapping[str, Any],
        change: Mapping[str, Any],
        *,
        user: str = "",
        dry_run: bool = False,
    ) -> None:
        kind, namespace, name = identity(manifest)
        options = [f"--namespace={namespace}"] if namespace else []
        options += [f"--as={user}"] if user else []
        options += ["--dry-run=server"] if dry_run else []
        body = json.dumps(change)
        self._run("patch", kind.lower(), name, *options, "--type=merge", "--patch", body)
