"""The ledger of a playbook in memory."""

from __future__ import annotations

import threading
from typing import Tuple

from playbooks.core.errors import Conflict
from playbooks.core.ports import LedgerStore


class MemoryLedger(LedgerStore):
    """Threads may share it."""

    def __init__(self, text: str = "") -> None:
        self.text = text
        self._version = 1
        self._lock = threading.Lock()

    def read(self) -> Tuple[str, str]:
        with self._lock:
            return self.text, str(self._version)

    def write(self, text: str, *, version: str) -> str:
        with self._lock:
            if version != str(self._version):
                raise Conflict("the ledger was written since it was read")
            self.text, self._version = text, self._version + 1
            return str(self._version)
