"""``PLAYBOOK=delete python -m playbooks.engines.worker``: wires a playbook to its cluster."""

from __future__ import annotations

import asyncio
import os
import sys
import traceback

from playbooks.core import catalogue
from playbooks.core.errors import InvalidSetting
from playbooks.core.playbook import Playbook
from playbooks.engines.worker import log
from playbooks.engines.worker.settings import worker_settings
from playbooks.engines.worker.worker import Ended, Worker
from playbooks.infrastructure.kubernetes.kubeless import KubelessObjects
from playbooks.infrastructure.kubernetes.limits import LIMITS

# Exit codes: settings that no restart mends, and everything that one may.
MISCONFIGURED, FAILED = 2, 1


def main() -> int:
    try:
        chosen = worker_settings(os.environ)
        LIMITS.set(per_second=chosen["MAX_API_QPS"], connections=chosen["CONCURRENCY"] + 2)
        objects = KubelessObjects(chosen["FUNCTION_NAMESPACE"], chosen["FUNCTION_NAME"])
        asyncio.run(_run(catalogue.load(chosen["PLAYBOOK"]), objects))
    except InvalidSetting as error:
        log.complain(str(error))
        return MISCONFIGURED
    except Ended as error:
        log.complain(f"the worker ends: {error}")
        return FAILED
    except Exception:
        traceback.print_exc()
        return FAILED
    return 0


async def _run(playbook: Playbook, objects: KubelessObjects) -> None:
    await Worker(playbook, objects, os.environ).run()


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    # Without waiting for an answer that still hangs in a thread.
    os._exit(code)
