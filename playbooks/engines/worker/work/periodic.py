"""What a worker does now and then beside answering alerts, also while NATS is away."""

from __future__ import annotations

import asyncio
import random
from functools import partial
from typing import Callable

from playbooks.core.containment.expiry import Expiry
from playbooks.core.errors import PlaybookError
from playbooks.core.ports import Ledger, Standing
from playbooks.engines import log
from playbooks.engines.outcome_log import record

# Seconds between two looks, and until the first one, at most.
EXPIRY, STANDING = (30.0, 5.0), (15.0, 3.0)


async def keep_ending(playbook: str, expiry: Expiry) -> None:
    """For ever: ends what is contained for a time only. What one look fails to do, the next one
    tries again."""
    await _repeated(partial(_end, playbook, expiry), *EXPIRY)


async def keep_reading(ledger: Ledger, tell: Callable[[Standing], None]) -> None:
    """For ever: tells, in a thread, whether the playbook is paused and which budgets are used up.
    While the ledger cannot be read, what it said last counts on: the worker's outage says that."""
    await _repeated(partial(_read, ledger, tell), *STANDING)


async def _repeated(look: Callable[[], None], every: float, first: float) -> None:
    """``look`` in a thread, not of all replicas at once."""
    loop = asyncio.get_running_loop()
    await asyncio.sleep(random.uniform(0, first))
    while True:
        await loop.run_in_executor(None, look)
        await asyncio.sleep(every * random.uniform(0.7, 1.3))


def _end(playbook: str, expiry: Expiry) -> None:
    try:
        for outcome in expiry.once():
            record(playbook, None, outcome)
    except PlaybookError as error:
        log.warn(
            f"expired containment cannot be released, trying again: {error}", reason=error.reason
        )
    except Exception as error:
        log.error(f"expired containment cannot be released, trying again: {error!r}")


def _read(ledger: Ledger, tell: Callable[[Standing], None]) -> None:
    try:
        found = ledger.standing()
    except Exception:
        return
    tell(found)
