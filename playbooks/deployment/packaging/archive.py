"""The archive of a function or of a worker: what runs, and what that imports of the package."""

from __future__ import annotations

import ast
import io
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import Dict, Optional, Sequence, Tuple

from playbooks.core.catalogue import PACKAGE, directories
from playbooks.deployment.errors import DeploymentError

# A Function is stored in etcd and copied into a ConfigMap of at most 1 MiB, as base64.
LARGEST_KIB = 700

# The worker's archive is a ConfigMap's binary data, which counts as it is; its requirements too.
LARGEST_WORKER_KIB = 1000

WORKER = "engines/worker"

# The worker, and what falco-playbook runs in its pod.
PROGRAMS = (
    "__init__",
    "__main__",
    *(f"operator/{name}" for name in ("__init__", "__main__", "history", "inspection", "alerts")),
)

# The earliest that a zip file can say.
_TIMESTAMP = (1980, 1, 1, 0, 0, 0)
_PERMISSIONS = 0o100644
_UNIX = 3


def archive(playbook: str, package: Path = PACKAGE) -> bytes:
    """A zip file of the same bytes for the same sources, whenever and wherever they lie.

    It is compressed, since Kubeless' controllers list and keep whole Functions: another
    implementation of zlib (zlib-ng, say) may make other bytes of the same sources.
    """
    files = {f"{playbook}.py": _module(playbook, package)}
    files.update(_reached([files[f"{playbook}.py"]], package))
    return _zipped(files, f"the archive of {playbook}", "a Function", LARGEST_KIB)


def worker_archive(playbook: str, package: Path = PACKAGE) -> bytes:
    """The same of the package as a worker imports it: ``python -m playbooks.engines.worker``."""
    modules = [f"{WORKER}/{name}" for name in PROGRAMS]
    files = _packaged([playbook, *modules], package)
    return _zipped(files, f"the worker's archive of {playbook}", "a ConfigMap", LARGEST_WORKER_KIB)


def program_archive(module: str, package: Path = PACKAGE) -> bytes:
    """The same of the package as a program imports it that runs no playbook:
    ``engines/worker/operator/create_streams``."""
    files = _packaged([module], package)
    return _zipped(files, f"the archive of {module}", "a ConfigMap", LARGEST_WORKER_KIB)


def package_archive(
    playbook: str, modules: Sequence[str], *, largest: int = LARGEST_KIB, package: Path = PACKAGE
) -> bytes:
    """The same for an engine of its own: the package with the playbook, these ``modules`` of the
    engine (``engines/invoked``) and what all of them import. ``largest`` in KiB."""
    files = _packaged([playbook, *modules], package)
    return _zipped(files, f"the archive of {playbook}", "this engine", largest)


def files_of(content: bytes) -> Dict[str, bytes]:
    """What is in an archive, by path: for tools that take a directory."""
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def _packaged(modules: Sequence[str], package: Path) -> Dict[str, Path]:
    files = {f"{package.name}/{name}.py": _module(name, package) for name in modules}
    files.update(_reached([*files.values()], package))
    return files


def _module(name: str, package: Path) -> Path:
    """``name``: such as engines/worker/__main__."""
    paths = [root / f"{name}.py" for root in _roots(package)]
    return next((path for path in paths if path.is_file()), paths[0])


def _roots(package: Path) -> Sequence[Path]:
    """The directories that a package consists of."""
    return directories() if package == PACKAGE else [package]


def _zipped(files: Dict[str, Path], what: str, where: str, largest: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _TIMESTAMP)
            entry.external_attr = _PERMISSIONS << 16
            entry.create_system = _UNIX
            content = files[name].read_bytes()
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED, compresslevel=9)
    size = buffer.tell() / 1024
    if size > largest:
        raise DeploymentError(f"{what} has {size:.0f} KiB, and {where} can hold {largest}")
    return buffer.getvalue()


def _reached(entrypoints: Sequence[Path], package: Path) -> Dict[str, Path]:
    """The modules of the package that the entrypoints import, and what these import."""
    found: Dict[str, Path] = {}
    waiting = [*entrypoints]
    while waiting:
        for module in _imports(waiting.pop(), package.name):
            path = _file(module, package)
            if path and module not in found:
                found[module] = path
                waiting.append(path)
    return {_place(path, package): path for path in found.values()}


def _place(path: Path, package: Path) -> str:
    """Where it lies in an archive, from whichever directory of the package it comes."""
    root = next(root for root in _roots(package) if root in path.parents)
    return f"{package.name}/{path.relative_to(root).as_posix()}"


@lru_cache(maxsize=None)
def _imports(path: Path, package: str) -> Tuple[str, ...]:
    """Every name that may be a module of the package, and the packages around it."""
    found = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == package:
                found += [".".join(parts[:end]) for end in range(1, len(parts) + 1)]
    return tuple(found)


@lru_cache(maxsize=None)
def _file(module: str, package: Path) -> Optional[Path]:
    below = module.split(".")[1:]
    paths = [root.joinpath(*below) for root in _roots(package)]
    candidates = [c for path in paths for c in (path / "__init__.py", path.with_suffix(".py"))]
    return next((candidate for candidate in candidates if candidate.is_file()), None)
