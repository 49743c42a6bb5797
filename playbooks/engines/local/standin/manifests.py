"""Objects of a YAML file, beside those that the alerts speak of.

For what no alert can say: a pod that is terminating already, a policy of somebody else. They win
over what alerts say of the same object. An object with the annotation ``stand-in: gone`` is not
there, whatever alerts say.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, List, Mapping

import yaml

from playbooks.engines.local.failure import CannotStart
from playbooks.engines.local.standin.kinds import BY_NAME
from playbooks.engines.local.standin.objects import Objects

GONE = ("stand-in", "gone")


class _Loader(yaml.SafeLoader):
    """Times stay text, as in JSON."""


def _text(loader: _Loader, node: Any) -> str:
    return str(loader.construct_scalar(node))


_Loader.add_constructor("tag:yaml.org,2002:timestamp", _text)


def load(path: Path, into: Objects) -> None:
    """Raises CannotStart."""
    for manifest in _documents(path):
        annotations = manifest["metadata"].get("annotations") or {}
        key, value = GONE
        if annotations.get(key) == value:
            into.leave_out(manifest)
        else:
            into.put(manifest)


def _documents(path: Path) -> List[Mapping[str, Any]]:
    try:
        text = path.read_text("utf-8")
        documents = [each for each in yaml.load_all(text, _Loader) if each]
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise CannotStart(f"{path}: {error}") from error
    for document in documents:
        if not isinstance(document, dict) or document.get("kind") not in BY_NAME:
            raise CannotStart(f"{path}: expected objects of kind {', '.join(BY_NAME)}")
        metadata = document.get("metadata")
        if not isinstance(metadata, dict) or not metadata.get("name"):
            raise CannotStart(f"{path}: a {document['kind']} has no metadata.name")
    return documents
