"""The API of the cluster, by who counts the calls."""

from __future__ import annotations

import threading
from typing import Any, List

from playbooks.infrastructure.kubernetes.api import KubernetesApi


class CountingApi(KubernetesApi):
    """``calls``: the method of each, of this thread: watches have threads of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: List[str] = []
        self._counted = threading.current_thread()

    def _request(self, method: str, *given: Any, **named: Any) -> Any:
        if threading.current_thread() is self._counted:
            self.calls.append(method)
        return super()._request(method, *given, **named)
