"""What delays an isolation, where the cluster shows which network plugin runs.

Of Cilium: an agent takes new labels of a pod into its identity after a random time up to
``identity-max-jitter``, and the policy of that identity is computed after
``identity-change-grace-period``. Which labels count, ``labels`` says. All are keys of the ConfigMap
``cilium-config``, where what is absent has its default; flags and CiliumNodeConfigs may say else.
Source: github.com/cilium/cilium 1.18.4, pkg/option, pkg/labelsfilter
"""

from __future__ import annotations

import re
from typing import Mapping, Optional

from playbooks.core.cluster.network_policy import LABEL
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.cluster.policies.kinds import CILIUM
from playbooks.core.errors import PlaybookError
from playbooks.deployment.apply import preflight

_CONFIG = ("cilium-config", "kube-system")

# And their defaults.
_DELAYS = (("identity-max-jitter", "30s"), ("identity-change-grace-period", "5s"))


def delays(cluster: ClusterObjects) -> str:
    """In words; empty where no plugin is known to run that delays anything."""
    try:
        if CILIUM.group not in preflight.groups(cluster):
            return ""
        found = cluster.find("v1", "ConfigMap", *_CONFIG)
    except PlaybookError:
        return "Cilium's API is served, and its settings cannot be read"
    if not found:
        return ""
    return of_cilium(found.get("data") or {})


def of_cilium(settings: Mapping[str, str]) -> str:
    """``settings``: the data of ``cilium-config``."""
    said = [f"{key} is {settings.get(key) or f'{default} by default'}" for key, default in _DELAYS]
    words = f"Cilium delays it: {' and '.join(said)}"
    counts = label_counts(settings.get("labels") or "")
    if settings.get("label-prefix-file"):
        counts = None
    if counts is None:
        return f"{words}; whether {LABEL} is an identity label cannot be told from its settings"
    if not counts:
        return (
            f"Cilium's list of identity labels ('labels' in cilium-config) leaves {LABEL} out, so"
            f" that no policy selects it; {words}"
        )
    return words


def label_counts(patterns: str) -> Optional[bool]:
    """Whether our label is one by which Cilium identifies pods. None: a pattern cannot be read.

    Patterns are separated by blanks, and match from the beginning of a key; one with ``!`` leaves
    out, and where one takes in, others than those that are taken in do not count.
    """
    taken_in: Optional[bool] = None
    for pattern in patterns.split():
        excludes = pattern.startswith("!")
        source, colon, rest = pattern.lstrip("!").partition(":")
        if colon and source not in ("k8s", "any", ""):
            # Of another source; a list it is all the same.
            taken_in = taken_in or (None if excludes else False)
            continue
        try:
            matches = bool(re.match(rest if colon else source, LABEL))
        except re.error:
            return None
        if excludes and matches:
            return False
        if not excludes:
            taken_in = bool(taken_in) or matches
    return taken_in is not False
