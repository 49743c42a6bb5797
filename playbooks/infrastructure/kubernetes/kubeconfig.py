"""kubeconfig files, read as kubectl reads them.

Source: https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/ and
k8s.io/client-go/tools/clientcmd. Everything raises NoCluster for what kubectl would refuse.
"""

from __future__ import annotations

import base64
import binascii
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

from playbooks.core.errors import NoCluster

DEFAULT = "~/.kube/config"


@dataclass(frozen=True)
class Entry:
    """A cluster, a user or a context, as its file has it. ``name`` says what it is and its name,
    for messages. Relative paths count from ``directory``."""

    name: str
    values: Mapping[str, Any]
    directory: Path

    def text(self, key: str) -> str:
        """Empty where there is none."""
        value = self.values.get(key)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise NoCluster(f"{key} of {self.name} is expected to be text")
        return value

    def flag(self, key: str) -> bool:
        value = self.values.get(key)
        if value not in (None, True, False):
            raise NoCluster(f"{key} of {self.name} is expected to be true or false")
        return bool(value)

    def mapping(self, key: str) -> Mapping[str, Any]:
        value = self.values.get(key)
        if value is not None and not isinstance(value, dict):
            raise NoCluster(f"{key} of {self.name} is expected to be a mapping")
        return value or {}

    def part(self, key: str) -> Entry:
        """A mapping of it, as an entry of the same name."""
        return Entry(self.name, self.mapping(key), self.directory)

    def path(self, key: str) -> Optional[Path]:
        name = self.text(key)
        return self.directory / name if name else None

    def content(self, key: str) -> bytes:
        """Of ``KEY-data``, else of the file KEY; empty where there is neither. A file that is named
        has to be there in any case."""
        path, data = self.path(key), self.text(f"{key}-data")
        read = b""
        if path:
            try:
                read = path.read_bytes()
            except OSError as error:
                raise NoCluster(f"{key} of {self.name}: {path}: {error.strerror}") from error
        if not data:
            return read
        try:
            return base64.b64decode("".join(data.split()), validate=True)
        except (binascii.Error, ValueError) as error:
            raise NoCluster(f"{key}-data of {self.name} is not base64") from error


@dataclass(frozen=True)
class Kubeconfig:
    """Several files as one. Of entries of one name the first counts, whole, and so does the first
    current-context that is not empty."""

    files: Tuple[Path, ...] = ()
    current_context: str = ""
    clusters: Mapping[str, Entry] = field(default_factory=dict)
    users: Mapping[str, Entry] = field(default_factory=dict)
    contexts: Mapping[str, Entry] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        return not (self.current_context or self.clusters or self.users or self.contexts)

    def context(self, name: str = "") -> Entry:
        """The one of that name, else the current one."""
        chosen = name or self.current_context
        if not chosen:
            raise NoCluster(
                f"{self} has no current-context: kubectl config use-context NAME sets it"
            )
        if chosen not in self.contexts:
            raise NoCluster(f"context was not found for specified context: {chosen} ({self})")
        return self.contexts[chosen]

    def __str__(self) -> str:
        return os.pathsep.join(map(str, self.files))


def files(environ: Mapping[str, str]) -> Tuple[Path, ...]:
    """Those that KUBECONFIG names and that are there, else ~/.kube/config if it is there."""
    home = environ.get("HOME")
    default = Path(home, ".kube", "config") if home else Path(DEFAULT).expanduser()
    named = [Path(name) for name in environ.get("KUBECONFIG", "").split(os.pathsep) if name]
    found = dict.fromkeys(named or [default])
    # Path's raises OSError for what is longer than a name may be.
    return tuple(path for path in found if os.path.exists(path))  # noqa: PTH110


def load(paths: Tuple[Path, ...]) -> Kubeconfig:
    """Raises NoCluster if one of them is broken, whatever the others say."""
    return _merged([_document(path) for path in paths], paths)


def of_text(text: str, name: str) -> Kubeconfig:
    """One that is no file. ``name``: where it comes from, as messages have it."""
    return _merged([_parsed(text, Path(name), Path.cwd())], (Path(name),))


def _merged(documents: Sequence[Entry], paths: Tuple[Path, ...]) -> Kubeconfig:
    current = ""
    kinds: Dict[str, Dict[str, Entry]] = {"cluster": {}, "user": {}, "context": {}}
    for document in documents:
        current = current or document.text("current-context")
        for kind, known in kinds.items():
            for name, entry in _entries(document, kind).items():
                known.setdefault(name, entry)
    return Kubeconfig(paths, current, kinds["cluster"], kinds["user"], kinds["context"])


def _document(path: Path) -> Entry:
    try:
        text = path.read_text("utf-8")
    except (OSError, ValueError) as error:
        raise NoCluster(f"error loading config file {path}: {error}") from error
    return _parsed(text, path, path.absolute().parent)


def _parsed(text: str, path: Path, directory: Path) -> Entry:
    import yaml  # a pod with a service account has no use for it

    try:
        document = yaml.safe_load(text)
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise NoCluster(f"error loading config file {path}: {error}") from error
    if document is not None and not isinstance(document, dict):
        raise NoCluster(f"error loading config file {path}: it is no mapping")
    return Entry(str(path), document or {}, directory)


def _entries(document: Entry, kind: str) -> Dict[str, Entry]:
    listed = document.values.get(f"{kind}s") or []
    found: Dict[str, Entry] = {}
    for each in listed if isinstance(listed, list) else [listed]:
        values = each.get(kind) if isinstance(each, dict) else each
        name = each.get("name") if isinstance(each, dict) else None
        if not isinstance(name, str) or not isinstance(values, (dict, type(None))):
            raise NoCluster(
                f"error loading config file {document.name}: {kind}s is expected to be a list of"
                f" names, each with its {kind}"
            )
        if name in found:
            raise NoCluster(
                f"error loading config file {document.name}: duplicate name {name!r} in list"
            )
        found[name] = Entry(f"{kind} {name}", values or {}, document.directory)
    return found
