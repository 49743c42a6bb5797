"""What Python makes of the modules of functions: once for all functions that specs start, which are
made of the same modules mostly. Compiling takes half of the time until a function listens."""

from __future__ import annotations

import marshal
from functools import lru_cache
from importlib.util import MAGIC_NUMBER, cache_from_source, source_hash
from pathlib import Path

# Of a source that is not compared with it (PEP 552).
_UNCHECKED = (1).to_bytes(4, "little")


def compile_all(directory: Path) -> None:
    """All modules below it, for the Python that runs this."""
    for path in directory.rglob("*.py"):
        compiled = Path(cache_from_source(str(path)))
        compiled.parent.mkdir(exist_ok=True)
        compiled.write_bytes(_compiled(path.read_bytes()))


@lru_cache(maxsize=None)
def _compiled(source: bytes) -> bytes:
    code = marshal.dumps(compile(source, "<source>", "exec", dont_inherit=True))
    return MAGIC_NUMBER + _UNCHECKED + source_hash(source) + code
