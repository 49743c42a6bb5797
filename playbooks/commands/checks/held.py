"""What holds back the answers of a playbook: a pause, a budget that is used up, exemptions."""

from __future__ import annotations

from typing import List, Mapping, Tuple

from playbooks.commands.checks.finding import OK, WARNING, Finding, listed
from playbooks.commands.checks.serving import Checked
from playbooks.commands.pause import paused_since
from playbooks.commands.state.document import budgets
from playbooks.commands.state.text import shown_budgets
from playbooks.commands.targets.deployed import selecting
from playbooks.core.cluster.manifest import Manifest
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.guards.exempt import EXEMPT, REASON, UNTIL, Exemptions
from playbooks.core.ledger.book import Book
from playbooks.core.settings import read
from playbooks.deployment.manifests.record import environment_of
from playbooks.deployment.removal.client import ledger_of_ours
from playbooks.infrastructure.memory.cluster import MemoryCluster
from playbooks.infrastructure.this_pod import SystemClock

LEDGER, BUDGETS, EXEMPTIONS = "ledger", "budgets", "exemptions"

_FORM = (
    f"kubectl annotate --overwrite namespace NAME {EXEMPT}={{0}} {UNTIL}=TIME {REASON}=WHY, TIME in"
    " RFC 3339 and at most 7 days away"
)


def ledger(checked: Checked) -> List[Finding]:
    """Raises PlaybookError where its ledger cannot be read: it cannot act then."""
    if not checked.playbook.acts:
        return []
    book = ledger_of_ours(checked.cluster, checked.served.function)
    return [_paused(book, checked.served.function), *_budgets(book, checked)]


def _paused(book: Book, function: Manifest) -> Finding:
    if not book.paused:
        return Finding(LEDGER, OK, "it is not paused")
    said = f"it is paused, and holds its alerts: since {paused_since(book.paused)}"
    return Finding(LEDGER, WARNING, said, f"falco-playbook resume {selecting(function)}")


def _budgets(book: Book, checked: Checked) -> List[Finding]:
    function = checked.served.function
    tripped = [
        Finding(
            BUDGETS,
            WARNING,
            f"the budget of namespace {place} is used up since {trip.get('at', '')}:"
            f" {trip.get('limit', '')}; alerts about it are held",
            f"falco-playbook reset {selecting(function)} --budget-of {place}",
        )
        for place, trip in sorted(book.tripped.items())
    ]
    now = SystemClock().now()
    used = shown_budgets(budgets(checked.playbook, environment_of(function), book, now))
    return tripped or [Finding(BUDGETS, OK, used or "no action within the window")]


def exemptions(checked: Checked) -> List[Finding]:
    """Who is exempted from the playbook, and which exemptions do not count."""
    playbook, environment = checked.playbook, checked.served.environment
    if not playbook.acts:
        return []
    (setting,) = Exemptions.SETTINGS
    pods = bool(read((setting,), environment)[setting.name])
    steps = playbook.runs(environment)
    guard = Exemptions(playbook.name, MemoryCluster(), pods=pods, others=steps)
    now = SystemClock().now()
    standing, without_effect = [], []
    for what, given in _annotated(checked.cluster, pods=pods):
        answer = guard.exemption(what, given, now)
        if answer.reason:
            standing.append(answer.words)
        elif answer.words:
            without_effect.append(answer.words)
    findings = []
    if without_effect:
        do = _FORM.format(playbook.name)
        findings.append(Finding(EXEMPTIONS, WARNING, listed(without_effect), do))
    said = listed(standing) or "nothing is exempted"
    return findings if findings and not standing else [*findings, Finding(EXEMPTIONS, OK, said)]


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
