"""``falco-playbook pause``, ``resume`` and ``reset``: what a person writes into the ledger."""

from __future__ import annotations

from typing import Callable, List

from playbooks.commands import ledgers
from playbooks.commands.cluster import Cluster
from playbooks.commands.command_line import Options
from playbooks.commands.ledgers import KubectlLedger
from playbooks.commands.person import who
from playbooks.core.errors import PlaybookError
from playbooks.core.instant import Instant
from playbooks.core.ledger.book import ALL, Book
from playbooks.core.ledger.ledger import change
from playbooks.deployment.errors import DeploymentError

Now = Callable[[], Instant]


def brake(options: Options, cluster: Cluster, namespace: str, now: Now) -> int:
    """The exit code. Raises DeploymentError."""
    by, failed = who(cluster), []
    for ledger in _chosen(options, cluster, namespace):
        try:
            said = change(ledger, lambda book: _write(book, options, by, now()))
        except PlaybookError as error:
            failed.append(f"{ledger} is as it was: {error}")
        else:
            print(f"{ledger}: {said}")
    if failed:
        raise DeploymentError("\n".join(failed))
    return 0


def _chosen(options: Options, cluster: Cluster, namespace: str) -> List[KubectlLedger]:
    if options.all:
        return ledgers.everywhere(cluster, options.namespace or "")
    return [ledgers.of(cluster, namespace, options.function)]


def _write(book: Book, options: Options, by: str, now: Instant) -> str:
    if options.command == "pause":
        book.pause(by, now, options.why)
        return f"paused by {by}; alerts are held until it is resumed"
    if options.command == "resume":
        paused = book.paused
        book.resume()
        return f"resumed, paused since {paused['at']} by {paused['by']}" if paused else "not paused"
    tripped = ", ".join(sorted(book.tripped)) or "nothing"
    book.reset(options.budget_of or ALL, by, now)
    place = f"namespace {options.budget_of}" if options.budget_of else "all namespaces"
    return f"the budget of {place} begins anew ({tripped} had tripped); what is held stays held"
