"""What every LedgerStore does, the one in memory and the real one: one check a function.

Each takes two stores of one ledger that nobody has written yet. They run in memory in
specs/infrastructure/memory/ledger_spec.py, and on the Kubernetes API in
specs/infrastructure/ledger/config_map_spec.py.
"""

from __future__ import annotations

from expects import equal, expect, raise_error

from playbooks.core.errors import Conflict
from playbooks.core.ports import LedgerStore


def is_empty_at_first(store: LedgerStore, other: LedgerStore) -> None:
    expect(store.read()[0]).to(equal(""))


def keeps_what_is_written(store: LedgerStore, other: LedgerStore) -> None:
    text = '{"a": "\u00e9\\n"}'
    version = store.write(text, version=store.read()[1])

    expect(other.read()).to(equal((text, version)))


def has_a_version_for_each_text(store: LedgerStore, other: LedgerStore) -> None:
    first = store.read()[1]
    second = store.write("1", version=first)
    third = store.write("2", version=second)

    expect(len({first, second, third})).to(equal(3))
    expect(store.read()).to(equal(("2", third)))


def keeps_its_version_while_nobody_writes(store: LedgerStore, other: LedgerStore) -> None:
    expect(store.read()[1]).to(equal(other.read()[1]))


def is_not_written_by_who_read_it_before_somebody_else_wrote(
    store: LedgerStore, other: LedgerStore
) -> None:
    _, version = store.read()
    other.write("theirs", version=other.read()[1])

    expect(lambda: store.write("ours", version=version)).to(raise_error(Conflict))
    expect(store.read()[0]).to(equal("theirs"))


def can_be_written_after_it_was_read_again(store: LedgerStore, other: LedgerStore) -> None:
    other.write("theirs", version=other.read()[1])
    store.write("ours", version=store.read()[1])

    expect(other.read()[0]).to(equal("ours"))
