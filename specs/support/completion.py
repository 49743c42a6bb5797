"""What a program prints where a shell asks it to complete a line."""

from __future__ import annotations

import io
import os
from contextlib import redirect_stdout, suppress
from typing import Callable, List
from unittest.mock import patch


def completed_by_bash(main: Callable[[], object], name: str, *words: str) -> List[str]:
    """The values; ``main`` runs the program. The last of the words is being typed."""
    environment = {
        f"_{name.upper().replace('-', '_')}_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join([name, *words]),
        "COMP_CWORD": str(len(words)),
    }
    out = io.TextIOWrapper(io.BytesIO())
    with patch.dict(os.environ, environment), redirect_stdout(out), suppress(SystemExit):
        main()
    return [line.partition(",")[2] for line in out.buffer.getvalue().decode().splitlines()]
