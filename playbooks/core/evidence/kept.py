"""A set of evidence: where it lies, and what came into it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Dict, Tuple

from playbooks.core.alert import Alert
from playbooks.core.cluster.pod import Pod

#: Written last: where it is there, the set is whole.
MANIFEST = "manifest.json"

_UNUSUAL = re.compile(r"[^A-Za-z0-9_.-]|(?<![A-Za-z0-9])\.|\.(?![A-Za-z0-9])", re.ASCII)
_LONGEST = 253


@dataclass(frozen=True)
class Kept:
    """``url``: the set's. ``missing``: what of it could not be read, or not whole, and why."""

    url: str
    missing: Tuple[str, ...] = ()

    @property
    def words(self) -> str:
        lacking = f", without {'; '.join(self.missing)}" if self.missing else ""
        return f"evidence is in {self.url}{lacking}"

    @property
    def facts(self) -> Dict[str, Any]:
        found: Dict[str, Any] = {"evidence_url": self.url}
        if self.missing:
            found["evidence_missing"] = list(self.missing)
        return found


def directory(pod: Pod, alert: Alert, cluster_field: str) -> str:
    """The same for the same alert about the same pod, whenever it is asked.

    ``cluster_field``: the output field that names the cluster, in front where the alert has it.
    """
    cluster = alert.fields.get(cluster_field)
    time = str(alert.time).replace("-", "").replace(":", "")
    parts = [pod.namespace, pod.name, f"{time}-{pod.uid}"]
    if isinstance(cluster, str) and cluster:
        parts.insert(0, cluster)
    # Whoever publishes an alert chooses the cluster's name.
    return "/".join(_UNUSUAL.sub("-", part)[:_LONGEST] for part in parts)
