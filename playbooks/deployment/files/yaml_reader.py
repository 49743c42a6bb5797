"""Typed reading of YAML, where every problem names its file and line."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Collection, Dict, List, Optional, Tuple

import yaml

from playbooks.deployment.errors import UsageError, meant

STANDARD_INPUT = "-"

# Tags of scalars that are written without quotes and mean something else than their text.
_NULL = "tag:yaml.org,2002:null"


@dataclass
class Reader:
    """Reads nodes of one file. ``problems``: everything that was wrong with them, as
    ``FILE:LINE: WHAT``."""

    path: str
    problems: List[str] = field(default_factory=list)
    _keys: Dict[int, yaml.Node] = field(default_factory=dict)

    def documents(self) -> List[yaml.Node]:
        """Those that are not empty. Raises UsageError for what is no YAML."""
        try:
            text = _content(self.path)
            found = [node for node in yaml.compose_all(text, yaml.SafeLoader) if node is not None]
        except OSError as error:
            raise UsageError([f"-f: cannot read {self.path!r}: {error.strerror}"]) from None
        except UnicodeDecodeError:
            raise UsageError([f"-f: {self.path!r} is not UTF-8 text"]) from None
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise UsageError([f"{self.path}:{line}: not YAML: {error.problem}"]) from None
        except yaml.YAMLError as error:
            raise UsageError([f"-f: {self.path!r} is not YAML: {error}"]) from None
        return [node for node in found if not _is_null(node)]

    def place(self, node: yaml.Node) -> str:
        """Of a value, the line of its key."""
        return f"{self.path}:{self._keys.get(id(node), node).start_mark.line + 1}"

    def problem(self, node: yaml.Node, words: str) -> None:
        self.problems.append(f"{self.place(node)}: {words}")

    def text(self, node: yaml.Node, what: str) -> Optional[str]:
        """A scalar as it is written, also a number or a boolean; None for anything else."""
        if isinstance(node, yaml.ScalarNode) and not _is_null(node):
            return str(node.value)
        self.problem(node, f"{what} is {_kind(node)}, expected text")
        return None

    def texts(self, node: yaml.Node, what: str) -> List[Tuple[str, yaml.Node]]:
        if not isinstance(node, yaml.SequenceNode):
            self.problem(node, f"{what} is {_kind(node)}, expected a list")
            return []
        read = [(self.text(item, f"an item of {what}"), item) for item in node.value]
        return [(text, item) for text, item in read if text is not None]

    def mapping(
        self, node: yaml.Node, what: str, known: Optional[Collection[str]] = None
    ) -> Dict[str, yaml.Node]:
        """``known``: the keys that there may be; None for any. A key that is given twice or is
        unknown is a problem, and left out."""
        if not isinstance(node, yaml.MappingNode):
            self.problem(node, f"{what} is {_kind(node)}, expected a mapping")
            return {}
        found: Dict[str, yaml.Node] = {}
        for key, value in node.value:
            name = self.text(key, f"a key of {what}")
            if name is None:
                continue
            if known is not None and name not in known:
                self.problem(key, f"unknown key {name!r} in {what}{_meant(name, known)}")
            elif name in found:
                self.problem(key, f"{name} is given twice in {what}")
            else:
                found[name] = value
                self._keys[id(value)] = key
        return found

    def value(self, node: yaml.Node) -> Any:
        """What the node stands for in YAML."""
        loader = yaml.SafeLoader("")
        try:
            return loader.construct_document(node)
        except yaml.YAMLError as error:
            self.problem(node, str(error).splitlines()[0])
            return None
        finally:
            loader.dispose()


def _content(path: str) -> str:
    read = sys.stdin.buffer.read() if path == STANDARD_INPUT else Path(path).read_bytes()
    return read.decode("utf-8")


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == _NULL


def _kind(node: yaml.Node) -> str:
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    return "empty" if _is_null(node) else f"{node.value!r}"


def _meant(name: str, known: Collection[str]) -> str:
    return meant(name, known, alike=0.7) or f", expected {', '.join(sorted(known))}"
