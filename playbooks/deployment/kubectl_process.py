"""kubectl, run as a process: JSON on its standard input, JSON on its standard output."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import Any, Dict, List, Mapping, Sequence, Type

from playbooks.core.cluster.manifest import Manifest
from playbooks.deployment.kubectl import (
    Conflicting,
    Exists,
    Forbidden,
    Kubectl,
    KubectlError,
    NotThere,
)

# Seconds for one request, and for one kubectl with all its requests.
REQUEST_TIMEOUT = 20
TIMEOUT = 90

FIELD_MANAGER = "deploy_playbook"

_ERRORS: Dict[str, Type[KubectlError]] = {
    "NotFound": NotThere,
    "AlreadyExists": Exists,
    "Conflict": Conflicting,
    "Forbidden": Forbidden,
}


class KubectlProcess(Kubectl):
    """Objects are created and replaced, not applied.

    Client-side apply keeps a copy of the object in an annotation of at most 256 KiB; server-side
    apply makes Kubernetes 1.16 and 1.17 write ``managedFields``, which Kubeless' NATS trigger,
    whose last version runs on 1.17 at most, cannot read.
    """

    def __init__(self, context: str = "") -> None:
        """``context``: of the kubeconfig, empty for the current one."""
        self._context = context

    def current_namespace(self) -> str:
        if not available():
            return "default"
        command = ("config", "view", "--minify", "--output", "jsonpath={..namespace}")
        try:
            return self._run(*command) or "default"
        except KubectlError:
            return "default"

    def raw(self, path: str) -> Manifest:
        return self._objects(self._run("get", "--raw", path))[0]

    def get(self, manifests: Sequence[Mapping[str, object]]) -> List[Manifest]:
        if not manifests:
            return []
        return self._objects(self._run("get", "--ignore-not-found", *_JSON, stdin=manifests))

    def list(
        self, resources: Sequence[str], *, namespace: str = "", selector: str = ""
    ) -> List[Manifest]:
        where = ("--namespace", namespace) if namespace else ("--all-namespaces",)
        which = ("--selector", selector) if selector else ()
        command = ("get", ",".join(resources), *where, *which, "--output", "json")
        return self._objects(self._run(*command))

    def logs(
        self, namespace: str, pod: str, container: str, *, lines: int, previous: bool = False
    ) -> str:
        options = ("--namespace", namespace, "--container", container, f"--tail={lines}")
        return self._run("logs", pod, *options, f"--previous={str(previous).lower()}")

    def create(self, manifests: Sequence[Manifest], *, dry_run: bool = False) -> List[Manifest]:
        return self._write("create", manifests, dry_run)

    def replace(self, manifests: Sequence[Manifest], *, dry_run: bool = False) -> List[Manifest]:
        return self._write("replace", manifests, dry_run)

    def delete(self, manifest: Manifest, *, dry_run: bool = False) -> None:
        options = ("--ignore-not-found", "--wait=false", *_dry_run(dry_run), "--filename", "-")
        self._run("delete", *options, stdin=[manifest])

    def _write(self, verb: str, manifests: Sequence[Manifest], dry_run: bool) -> List[Manifest]:
        if not manifests:
            return []
        manager = f"--field-manager={FIELD_MANAGER}"
        written = self._run(verb, manager, *_dry_run(dry_run), *_JSON, stdin=manifests)
        return self._objects(written)

    def _run(self, *arguments: str, stdin: Sequence[Any] = ()) -> str:
        """What kubectl prints."""
        given = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(stdin)})
        timeout = f"--request-timeout={REQUEST_TIMEOUT}s"
        done = self._ended(*arguments, timeout, given=given if stdin else "")
        if done.returncode:
            raise _error(done.stderr or f"kubectl {arguments[0]} exited with {done.returncode}")
        return done.stdout

    def _ended(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """kubectl, however it ended. It has a session of its own: Ctrl-C is for us to handle."""
        context = ("--context", self._context) if self._context else ()
        try:
            return subprocess.run(
                ("kubectl", *context, *arguments),
                input=given,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=TIMEOUT,
                start_new_session=True,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise KubectlError(
                f"kubectl {arguments[0]} did not end within {TIMEOUT} seconds"
            ) from None
        except OSError as error:
            raise KubectlError(f"kubectl cannot be run: {error.strerror}") from error

    def _objects(self, printed: str) -> List[Manifest]:
        """kubectl prints a List, or one object, or several one after another."""
        found: List[Manifest] = []
        decoder, rest = json.JSONDecoder(), printed.strip()
        while rest:
            document, end = decoder.raw_decode(rest)
            found += document["items"] if document.get("kind") == "List" else [document]
            rest = rest[end:].lstrip()
        return found


_JSON = ("--output", "json", "--filename", "-")


def available() -> bool:
    """Whether there is a kubectl on the PATH."""
    return shutil.which("kubectl") is not None


def _dry_run(dry_run: bool) -> Sequence[str]:
    return ("--dry-run=server",) if dry_run else ()


def _error(said: str) -> KubectlError:
    """Of one class only where every line of kubectl's is of that class."""
    reasons = set(re.findall(r"Error from server \((\w+)\)", said))
    kind = _ERRORS.get(reasons.pop(), KubectlError) if len(reasons) == 1 else KubectlError
    return kind(re.sub(r'error when \w+ "STDIN": ', "", said).strip())
