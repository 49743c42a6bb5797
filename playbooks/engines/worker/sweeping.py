"""Ending what is contained for a time only, once that is over: every worker looks by itself."""

from __future__ import annotations

import asyncio
import random

from playbooks.core.containment.expiry import Sweep
from playbooks.core.errors import PlaybookError
from playbooks.engines.outcome_log import record
from playbooks.engines.worker import log

# Seconds between two looks, and until the first one, at most: not all replicas at once.
EVERY, FIRST = 30.0, 5.0


async def keep_sweeping(playbook: str, sweep: Sweep) -> None:
    """For ever. What one look fails to do, the next one tries again."""
    loop = asyncio.get_running_loop()
    await asyncio.sleep(random.uniform(0, FIRST))
    while True:
        await loop.run_in_executor(None, look, playbook, sweep)
        await asyncio.sleep(EVERY * random.uniform(0.7, 1.3))


def look(playbook: str, sweep: Sweep) -> None:
    try:
        for outcome in sweep.once():
            record(playbook, None, outcome)
    except PlaybookError as error:
        log.warn(f"what is over cannot be ended, trying again: {error}", reason=error.reason)
    except Exception as error:
        log.complain(f"what is over cannot be ended, trying again: {error!r}")
