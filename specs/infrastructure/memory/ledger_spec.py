"""The ledger in memory does what the real one does: both run specs/support/ledger_contract.py."""

from pathlib import Path

from expects import contain, expect
from mamba import before, description, it

from playbooks.infrastructure.memory.ledger import MemoryLedger
from specs.support import ledger_contract as contract

SPECS = Path(__file__).parents[2]


with description("A ledger in memory") as self:
    with before.each:
        ledger = MemoryLedger()
        self.stores = (ledger, ledger)

    with it("is empty at first"):
        contract.is_empty_at_first(*self.stores)

    with it("keeps what is written"):
        contract.keeps_what_is_written(*self.stores)

    with it("has a version for each text"):
        contract.has_a_version_for_each_text(*self.stores)

    with it("keeps its version while nobody writes"):
        contract.keeps_its_version_while_nobody_writes(*self.stores)

    with it("is not written by who read it before somebody else wrote"):
        contract.is_not_written_by_who_read_it_before_somebody_else_wrote(*self.stores)

    with it("can be written after it was read again"):
        contract.can_be_written_after_it_was_read_again(*self.stores)


with description("The contract of ledgers") as self:
    with it("is checked in full, in memory and on the real API"):
        for spec in (
            "infrastructure/memory/ledger_spec.py",
            "infrastructure/config_map_ledger_spec.py",
        ):
            text = (SPECS / spec).read_text(encoding="utf-8")
            for name in contract.CHECKS:
                expect(text).to(contain(f"contract.{name}(*self.stores)"))
