"""The ledger in memory does what the real one does: see specs/support/contracts/ledger.py."""

from mamba import before, description

from playbooks.infrastructure.memory.cluster import MemoryLedger
from specs.support.contracts import ledger as contract
from specs.support.contracts.examples import examples_of

with description("A ledger in memory") as self:
    with before.each:
        ledger = MemoryLedger()
        self.stores = (ledger, ledger)

    locals().update(examples_of(contract, lambda self: self.stores))
