"""When each pod was gone, as a watch of the API says it."""

from __future__ import annotations

import threading
import time
from typing import Any, Dict, Iterable, List, Mapping

from playbooks.core.errors import PlaybookError
from playbooks.infrastructure.kubernetes.api import KubernetesApi


class Gone(threading.Thread):
    def __init__(self, namespace: str) -> None:
        super().__init__(daemon=True)
        self._api = KubernetesApi()
        self._path = ("api", "v1", "namespaces", namespace, "pods")
        self._at: Dict[str, float] = {}
        self._there = threading.Condition()
        self._stopped = False

    def run(self) -> None:
        version = self._api.get(*self._path)["metadata"]["resourceVersion"]
        while not self._stopped:
            try:
                watch = self._api.watch(*self._path, seconds=600, resourceVersion=version)
                with watch as events:
                    for event in events:
                        version = event["object"]["metadata"]["resourceVersion"]
                        if event["type"] == "DELETED":
                            self._note(event["object"]["metadata"]["uid"])
            except PlaybookError:
                time.sleep(0.1)

    def stop(self) -> None:
        self._stopped = True

    def wait(self, pods: Iterable[Mapping[str, Any]], seconds: float) -> List[float]:
        """The moments, in order, at which these were gone; those that are not in time have none."""
        uids = [pod["metadata"]["uid"] for pod in pods]
        deadline = time.monotonic() + seconds
        with self._there:
            self._there.wait_for(lambda: self._all(uids), deadline - time.monotonic())
            return sorted(self._at[uid] for uid in uids if uid in self._at)

    def _all(self, uids: List[str]) -> bool:
        return all(uid in self._at for uid in reversed(uids))

    def _note(self, uid: str) -> None:
        now = time.monotonic()
        with self._there:
            self._at[uid] = now
            self._there.notify_all()
