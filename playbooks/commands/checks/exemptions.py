"""Who is exempted from a playbook, and which exemptions do not count."""

from __future__ import annotations

from typing import List, Mapping, Tuple

from playbooks.commands.checks.finding import OK, WARNING, Finding
from playbooks.core.cluster.manifest import Manifest
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.guards.exempt import EXEMPT, REASON, UNTIL, Exemptions
from playbooks.core.playbook import Playbook
from playbooks.core.settings import read
from playbooks.infrastructure.memory.cluster import MemoryCluster
from playbooks.infrastructure.this_pod import SystemClock

EXEMPTIONS = "exemptions"

# Objects that a line names, at most.
MOST = 5

_FORM = (
    f"kubectl annotate --overwrite namespace NAME {EXEMPT}={{0}} {UNTIL}=TIME {REASON}=WHY, TIME in"
    " RFC 3339 and at most 7 days away"
)


def look(
    cluster: ClusterObjects, playbook: Playbook, environment: Mapping[str, str]
) -> List[Finding]:
    """``environment``: of the function. Raises PlaybookError."""
    pods = _counts_pods(environment)
    steps = playbook.runs(environment)
    guard = Exemptions(playbook.name, MemoryCluster(), pods=pods, others=steps)
    now = SystemClock().now()
    standing, without_effect = [], []
    for what, given in _annotated(cluster, pods=pods):
        answer = guard.exemption(what, given, now)
        if answer.reason:
            standing.append(answer.words)
        elif answer.words:
            without_effect.append(answer.words)
    findings = []
    if without_effect:
        do = _FORM.format(playbook.name)
        findings.append(Finding(EXEMPTIONS, WARNING, _listed(without_effect), do))
    said = _listed(standing) or "nothing is exempted"
    return findings if findings and not standing else [*findings, Finding(EXEMPTIONS, OK, said)]


def _counts_pods(environment: Mapping[str, str]) -> bool:
    (setting,) = Exemptions.SETTINGS
    return bool(read((setting,), environment)[setting.name])


def _annotated(cluster: ClusterObjects, *, pods: bool) -> List[Tuple[str, Mapping[str, str]]]:
    found: List[Manifest] = [*cluster.list(("namespaces",))]
    if pods:
        found += cluster.list(("pods",), namespace="")
    return [(_named(each), each["metadata"].get("annotations") or {}) for each in found]


def _named(manifest: Manifest) -> str:
    metadata = manifest["metadata"]
    if metadata.get("namespace"):
        return f"pod {metadata['namespace']}/{metadata['name']}"
    return f"namespace {metadata['name']}"


def _listed(words: List[str]) -> str:
    more = f"; and {len(words) - MOST} more" * (len(words) > MOST)
    return "; ".join(words[:MOST]) + more
