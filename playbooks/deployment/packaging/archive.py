"""The archive of a function or of a worker: what runs, and what that imports of the package."""

from __future__ import annotations

import ast
import io
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple

from playbooks.core.catalogue import PACKAGE, directories, source
from playbooks.core.catalogue.sources import Source, path_of
from playbooks.deployment.errors import DeploymentError, TooLarge

# A Function is stored in etcd and copied into a ConfigMap of at most 1 MiB, as base64.
LARGEST_KIB = 700

# The worker's archive is a ConfigMap's binary data, which counts as it is; its requirements too.
LARGEST_WORKER_KIB = 1000

WORKER = "engines/worker"

# The worker, and what falco-playbook runs in its pod.
PROGRAMS = (
    "__main__",
    *(f"operator/{name}" for name in ("__main__", "history", "inspection")),
)

# What Kubeless calls, of a playbook that has none at its top.
_HANDLER = """\
from playbooks.engines import kubeless

handler = kubeless.handler(playbook)
"""

# The earliest that a zip file can say.
_TIMESTAMP = (1980, 1, 1, 0, 0, 0)
_PERMISSIONS = 0o100644
_UNIX = 3


def archive(playbook: str, package: Path = PACKAGE, runs: Sequence[str] = ()) -> bytes:
    """A zip file of the same bytes for the same sources, whenever and wherever they lie.

    It is compressed, since Kubeless' controllers list and keep whole Functions: another
    implementation of zlib (zlib-ng, say) may make other bytes of the same sources. ``runs``: the
    other playbooks of the package that it runs.
    """
    files = _Modules.of(playbook, package).function(playbook, runs)
    return zipped(files, f"the archive of {playbook}", "a Function", LARGEST_KIB)


def worker_archive(playbook: str, runs: Sequence[str] = ()) -> bytes:
    """The same of the package as a worker imports it: ``python -m playbooks.engines.worker``."""
    names = [f"{WORKER}/{name}" for name in PROGRAMS]
    files = _Modules.of(playbook).packaged([playbook, *runs, *names])
    return zipped(files, f"the worker's archive of {playbook}", "a ConfigMap", LARGEST_WORKER_KIB)


def program_archive(module: str) -> bytes:
    """The same of the package as a program imports it that runs no playbook, such as
    ``playbooks.engines.worker.operator.create_streams``."""
    files = _Modules.of("").packaged([module.partition(".")[2].replace(".", "/")])
    return zipped(files, f"the archive of {module}", "a ConfigMap", LARGEST_WORKER_KIB)


def package_files(
    playbook: str, modules: Sequence[str], *, runs: Sequence[str] = ()
) -> Dict[str, bytes]:
    """For an engine of its own, by path: the package with the playbook, these ``modules`` of the
    engine (``engines/invoked``) and what all of them import. The engine adds what else it needs;
    ``zipped`` makes an archive of it all, where its tool takes no directory."""
    return _Modules.of(playbook).packaged([playbook, *runs, *modules])


def import_of(playbook: str) -> str:
    """The statement by which a module beside the package imports the playbook."""
    found = source(playbook)
    return _import(found) if found else f"from {PACKAGE.name}.{playbook} import playbook"


@dataclass(frozen=True)
class _Modules:
    """What an archive can hold: the modules of the package, and those that a playbook brings which
    is none of them (``_source``). ``_roots``: the directories that the package consists of."""

    _package: Path
    _source: Optional[Source]
    _roots: Tuple[Path, ...]

    @classmethod
    def of(cls, playbook: str, package: Path = PACKAGE) -> _Modules:
        """Those of an archive with a playbook; of the package alone where that is empty."""
        if package != PACKAGE:
            return cls(package, None, (package,))
        return cls(package, source(playbook) if playbook else None, tuple(directories()))

    def function(self, playbook: str, runs: Sequence[str] = ()) -> Dict[str, bytes]:
        """By path, with the playbook at the top, as Kubeless wants its module."""
        if self._source and self._source.module != playbook:
            files = {f"{playbook}.py": _entrypoint(self._source, _HANDLER)}
            modules = [self._source.module, f"{self._package.name}.engines.kubeless"]
            return {**self._reached(modules), **files}
        path = self._source.path if self._source else self._own(playbook)
        if self._source and not _has_handler(path):
            raise DeploymentError(
                f"{self._source.origin} has no handler, which Kubeless calls: expected"
                " handler = kubeless.handler(playbook)"
            )
        files = {f"{playbook}.py": _content(path)}
        found = [*_imports(path, playbook), *map(self._module, runs)]
        return {**self._reached(name for name in found if name != playbook), **files}

    def packaged(self, names: Sequence[str]) -> Dict[str, bytes]:
        """The same of the package as it is. ``names``: such as engines/worker/__main__."""
        if self._source is None:
            paths = {self._module(name): self._own(name) for name in names}
            return {**self._reached([*paths]), **self._contents(paths)}
        playbook, *others = names
        entrypoint = f"{self._package.name}/{playbook}.py"
        paths = {self._module(name): self._own(name) for name in others}
        reached = self._reached([self._source.module, *paths])
        return {**reached, **self._contents(paths), entrypoint: _entrypoint(self._source)}

    def _module(self, name: str) -> str:
        return f"{self._package.name}/{name}".replace("/", ".")

    def _own(self, name: str) -> Path:
        """The file of a module of the package; where there is none, the place it should have."""
        paths = [root / f"{name}.py" for root in self._roots]
        return next((path for path in paths if path.is_file()), paths[0])

    def _contents(self, paths: Dict[str, Path]) -> Dict[str, bytes]:
        return {_place(module, path): _content(path) for module, path in paths.items()}

    def _reached(self, modules: Iterable[str]) -> Dict[str, bytes]:
        """These modules, and what they import."""
        return self._contents(dict(_paths(self, tuple(modules))))

    def file(self, module: str) -> Optional[Path]:
        """None for what is neither the package's nor brought by the playbook."""
        top, *below = module.split(".")
        if top == self._package.name:
            return _found(self._roots, tuple(below))
        if self._source is None or (self._source.alone and top != self._source.top):
            return None
        path = _found((self._source.root,), (top, *below))
        if path and not _is_imported(top, self._source.root):
            raise DeploymentError(
                f"{path} is called as another module of this Python, which it would hide in the"
                " function: rename it"
            )
        return path


def zipped(files: Mapping[str, bytes], what: str, where: str, largest: int) -> bytes:
    """The same bytes for the same files. Raises TooLarge where they are more than ``largest`` KiB,
    with ``what`` they are and ``where`` they go."""
    packed = _packed(tuple(sorted(files.items())))
    size = len(packed) / 1024
    if size > largest:
        raise TooLarge(f"{what} has {size:.0f} KiB, and {where} can hold {largest}")
    return packed


# Looked at before anything is touched, and deployed then: compressing takes most of the time.
@lru_cache(maxsize=32)
def _packed(files: Tuple[Tuple[str, bytes], ...]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files:
            entry = zipfile.ZipInfo(name, _TIMESTAMP)
            entry.external_attr = _PERMISSIONS << 16
            entry.create_system = _UNIX
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED, compresslevel=9)
    return buffer.getvalue()


def too_large(make: Callable[[], object]) -> List[str]:
    """For ``Engine.problems``: what is wrong where ``make``, which calls ``zipped``, has more than
    there is room for. So a limit is found before anything is touched."""
    try:
        make()
    except TooLarge as error:
        return [str(error)]
    return []


def _entrypoint(source: Source, more: str = "") -> bytes:
    """A module that has the playbook of one outside of the package."""
    return f"{_import(source)}\n{more}".encode()


def _import(source: Source) -> str:
    renamed = "" if source.attribute == "playbook" else " as playbook"
    return f"from {source.module} import {source.attribute}{renamed}"


def _has_handler(path: Path) -> bool:
    """Whether the module has it, imported or made."""
    return any(
        isinstance(node, (ast.Name, ast.FunctionDef, ast.alias))
        and "handler" in (getattr(node, key, "") for key in ("id", "name", "asname"))
        for node in ast.walk(ast.parse(_content(path)))
    )


def _place(module: str, path: Path) -> str:
    """Where it lies in an archive, from whichever directory it comes."""
    inside = module.replace(".", "/")
    return f"{inside}/__init__.py" if path.name == "__init__.py" else f"{inside}.py"


# What is looked at before anything is touched is what is deployed then: a source is read once.
@lru_cache(maxsize=None)
def _content(path: Path) -> bytes:
    return path.read_bytes()


@lru_cache(maxsize=None)
def _paths(of: _Modules, modules: Tuple[str, ...]) -> Tuple[Tuple[str, Path], ...]:
    """The names and files of these modules, and of what they import."""
    found: Dict[str, Path] = {}
    waiting = [name for module in modules for name in _around(module)]
    while waiting:
        module = waiting.pop()
        path = None if module in found else of.file(module)
        if path:
            found[module] = path
            waiting += _imports(path, module)
    return tuple(found.items())


@lru_cache(maxsize=None)
def _imports(path: Path, module: str) -> Tuple[str, ...]:
    """Every name that may be a module, and the packages around it, each once."""
    found: List[str] = []
    inside = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    for node in _statements(ast.parse(_content(path))):
        names: List[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = inside[: len(inside) - node.level + 1] if node.level else []
            of = ".".join([*above, *([node.module] if node.module else [])])
            names = [f"{of}.{alias.name}" for alias in node.names]
        found += [around for name in names for around in _around(name)]
    return tuple(dict.fromkeys(found))


def _statements(tree: ast.AST) -> Iterator[ast.AST]:
    """Those of a module, however deep. ast.walk looks into every expression, too: ten times as
    many nodes, none of which imports."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for block in ("body", "orelse", "finalbody", "handlers", "cases"):
            waiting += getattr(node, block, ())


def _around(module: str) -> List[str]:
    """The packages around it, and itself."""
    parts = module.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts) + 1)]


@lru_cache(maxsize=None)
def _found(roots: Tuple[Path, ...], below: Tuple[str, ...]) -> Optional[Path]:
    paths = [root.joinpath(*below) for root in roots]
    candidates = [c for path in paths for c in (path / "__init__.py", path.with_suffix(".py"))]
    return next((candidate for candidate in candidates if candidate.is_file()), None)


@lru_cache(maxsize=None)
def _is_imported(top: str, root: Path) -> bool:
    """Whether Python takes the module of this name from there, too."""
    try:
        return root in path_of(top).resolve().parents
    except ImportError:
        return False
