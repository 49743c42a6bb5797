"""Reads now and then whether the playbook is paused and which budgets are used up, for metrics."""

from __future__ import annotations

import asyncio
import random
from typing import Callable, Optional

from playbooks.core.ports import Ledger, Standing

# Seconds between two looks, and until the first one, at most: not all replicas at once.
EVERY, FIRST = 15.0, 3.0


async def keep_reading(ledger: Ledger, tell: Callable[[Standing], None]) -> None:
    """For ever. While the ledger cannot be read, what it said last counts on: the worker's outage
    says that."""
    loop = asyncio.get_running_loop()
    await asyncio.sleep(random.uniform(0, FIRST))
    while True:
        found = await loop.run_in_executor(None, look, ledger)
        if found is not None:
            tell(found)
        await asyncio.sleep(EVERY * random.uniform(0.7, 1.3))


def look(ledger: Ledger) -> Optional[Standing]:
    try:
        return ledger.standing()
    except Exception:
        return None
