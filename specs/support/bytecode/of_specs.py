"""mamba compiles every file of examples at each run, after it has put classes and functions in the
place of their ``with`` statements: what that gave is kept beside what Python keeps of modules."""

from __future__ import annotations

import ast
import marshal
import os
from contextlib import suppress
from importlib.util import MAGIC_NUMBER, cache_from_source, source_hash
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, Optional, Union


def keep(collector: ModuleType) -> None:
    """``collector``: mamba.example_collector, which loads all files before the first example."""
    transformed = collector.ExampleCollector._parse_and_transform_ast

    def parsed(self: Any, path: str) -> Union[ast.AST, CodeType]:
        return _kept(path) or transformed(self, path)

    def compiled(made: Union[ast.AST, CodeType], path: str, mode: str) -> CodeType:
        if isinstance(made, CodeType):
            return made
        code: CodeType = compile(made, path, mode)  # type: ignore[arg-type]
        _keep(path, code)
        return code

    collector.ExampleCollector._parse_and_transform_ast = parsed
    vars(collector)["compile"] = compiled


def _kept(path: str) -> Optional[CodeType]:
    try:
        found = _place(path).read_bytes()
    except OSError:
        return None
    of = _of(path)
    return marshal.loads(found[len(of) :]) if found.startswith(of) else None


def _keep(path: str, code: CodeType) -> None:
    place = _place(path)
    written = place.with_name(f"{place.name}.{os.getpid()}")
    with suppress(OSError):
        place.parent.mkdir(exist_ok=True)
        written.write_bytes(_of(path) + marshal.dumps(code))
        written.replace(place)


def _place(path: str) -> Path:
    return Path(cache_from_source(path, optimization="mamba"))


def _of(path: str) -> bytes:
    """What it is made of: the file, the name by which tracebacks show it, and who made it."""
    from mamba import __version__

    whole = b"\0".join([path.encode(), __version__.encode(), Path(path).read_bytes()])
    return MAGIC_NUMBER + source_hash(whole)
