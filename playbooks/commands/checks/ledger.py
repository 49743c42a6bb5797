"""Is the playbook paused, or has it used up a budget?"""

from __future__ import annotations

from typing import List

from playbooks.commands.checks.finding import OK, WARNING, Finding
from playbooks.commands.deployed import selecting
from playbooks.commands.pause import paused_since
from playbooks.commands.state.document import budgets
from playbooks.commands.state.text import shown_budgets
from playbooks.commands.targets.ledgers import ledger_of_ours
from playbooks.core.cluster.manifest import Manifest
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.ledger.book import Book
from playbooks.core.playbook import Playbook
from playbooks.deployment.manifests.record import environment_of
from playbooks.infrastructure.this_pod import SystemClock

LEDGER, BUDGETS = "ledger", "budgets"


def look(cluster: ClusterObjects, function: Manifest, playbook: Playbook) -> List[Finding]:
    """Raises PlaybookError where its ledger cannot be read: it cannot act then."""
    book = ledger_of_ours(cluster, function)
    return [_paused(book, function), *_budgets(book, function, playbook)]


def _paused(book: Book, function: Manifest) -> Finding:
    if not book.paused:
        return Finding(LEDGER, OK, "it is not paused")
    said = f"it is paused, and holds its alerts: since {paused_since(book.paused)}"
    return Finding(LEDGER, WARNING, said, f"falco-playbook resume {selecting(function)}")


def _budgets(book: Book, function: Manifest, playbook: Playbook) -> List[Finding]:
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
    used = shown_budgets(budgets(playbook, environment_of(function), book, SystemClock().now()))
    return tripped or [Finding(BUDGETS, OK, used or "no action within the window")]
