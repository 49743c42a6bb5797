"""Ends what is contained for a time only, while the worker runs: also while NATS is away."""

from __future__ import annotations

import asyncio
import random

from playbooks.core.containment.expiry import Expiry
from playbooks.core.errors import PlaybookError
from playbooks.engines import log
from playbooks.engines.outcome_log import record

# Seconds between two looks, and until the first one, at most: not all replicas at once.
EVERY, FIRST = 30.0, 5.0


async def keep_ending(playbook: str, expiry: Expiry) -> None:
    """For ever. What one look fails to do, the next one tries again."""
    loop = asyncio.get_running_loop()
    await asyncio.sleep(random.uniform(0, FIRST))
    while True:
        await loop.run_in_executor(None, look, playbook, expiry)
        await asyncio.sleep(EVERY * random.uniform(0.7, 1.3))


def look(playbook: str, expiry: Expiry) -> None:
    try:
        for outcome in expiry.once():
            record(playbook, None, outcome)
    except PlaybookError as error:
        log.warn(
            f"expired containment cannot be released, trying again: {error}", reason=error.reason
        )
    except Exception as error:
        log.error(f"expired containment cannot be released, trying again: {error!r}")
