"""Messages whose end is remembered, for those that come again: their acknowledgement was lost."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Tuple

REMEMBERED = 20_000

Key = Tuple[Any, ...]


class Memory:
    """Of the last ``most``; those before are forgotten."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        self._keys: OrderedDict[Key, None] = OrderedDict()

    def add(self, key: Key) -> None:
        self._keys[key] = None
        if len(self._keys) > self._most:
            self._keys.popitem(last=False)

    def __contains__(self, key: Key) -> bool:
        return key in self._keys
