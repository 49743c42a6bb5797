"""A way to an API server: where it is, through which pool of connections, and as whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Optional

import urllib3


def nobody() -> Optional[str]:
    """The authorization of who has none, or has a certificate instead."""
    return None


@dataclass(frozen=True)
class Connection:
    """``server``: a URL without a slash at its end. ``authorization`` gives the value of the header
    and is asked for every call: credentials are renewed."""

    server: str
    pool: urllib3.PoolManager
    authorization: Callable[[], Optional[str]] = nobody
