"""What is in an archive."""

from __future__ import annotations

import io
import zipfile
from typing import Dict


def files_of(content: bytes) -> Dict[str, bytes]:
    """By path."""
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}
