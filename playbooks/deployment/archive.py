"""The archive of a function: its entrypoint at the top, and what that imports of the package."""

from __future__ import annotations

import ast
import io
import zipfile
from pathlib import Path
from typing import Dict, Iterator, Optional

from playbooks.deployment.catalogue import PACKAGE
from playbooks.deployment.errors import DeploymentError

# A Function is stored in etcd and copied into a ConfigMap of at most 1 MiB, as base64.
LARGEST_KIB = 700

# The earliest that a zip file can say.
_TIMESTAMP = (1980, 1, 1, 0, 0, 0)
_PERMISSIONS = 0o100644
_UNIX = 3


def archive(playbook: str, package: Path = PACKAGE) -> bytes:
    """A zip file of the same bytes for the same sources, whenever and wherever they lie.

    It is compressed, since Kubeless' controllers list and keep whole Functions: another
    implementation of zlib (zlib-ng, say) may make other bytes of the same sources.
    """
    files = {f"{playbook}.py": package / f"{playbook}.py"}
    files.update(_reached(files[f"{playbook}.py"], package))
    content = _zipped({name: path.read_bytes() for name, path in files.items()})
    size = len(content) / 1024
    if size > LARGEST_KIB:
        raise DeploymentError(
            f"the archive of {playbook} has {size:.0f} KiB, and a Function can hold {LARGEST_KIB}"
        )
    return content


def _zipped(files: Dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _TIMESTAMP)
            entry.external_attr = _PERMISSIONS << 16
            entry.create_system = _UNIX
            archive.writestr(entry, files[name], zipfile.ZIP_DEFLATED, compresslevel=9)
    return buffer.getvalue()


def _reached(entrypoint: Path, package: Path) -> Dict[str, Path]:
    """The modules of the package that the entrypoint imports, and what these import."""
    found: Dict[str, Path] = {}
    waiting = [entrypoint]
    while waiting:
        for module in _imports(waiting.pop(), package.name):
            path = _file(module, package)
            if path and module not in found:
                found[module] = path
                waiting.append(path)
    return {str(path.relative_to(package.parent).as_posix()): path for path in found.values()}


def _imports(path: Path, package: str) -> Iterator[str]:
    """Every name that may be a module of the package, and the packages around it."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == package:
                yield from (".".join(parts[:end]) for end in range(1, len(parts) + 1))


def _file(module: str, package: Path) -> Optional[Path]:
    path = package.parent.joinpath(*module.split("."))
    candidates = (path / "__init__.py", path.with_suffix(".py"))
    return next((candidate for candidate in candidates if candidate.is_file()), None)
