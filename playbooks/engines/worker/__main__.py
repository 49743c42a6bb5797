"""``PLAYBOOK=delete python -m playbooks.engines.worker``: runs a worker on its cluster."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import traceback
from typing import Sequence

from playbooks.core import catalogue
from playbooks.core.errors import InvalidSetting
from playbooks.core.playbook import Playbook
from playbooks.engines.worker import log
from playbooks.engines.worker.bootstrap import bootstrap
from playbooks.engines.worker.settings import worker_settings
from playbooks.engines.worker.worker import Ended
from playbooks.infrastructure.kubernetes.kubeless import KubelessObjects
from playbooks.infrastructure.kubernetes.limits import LIMITS
from playbooks.infrastructure.kubernetes.view.watched import WatchedCluster

try:
    import uvloop
except ImportError:  # asyncio's own does the same, with more of the processor
    uvloop = None  # type: ignore[assignment]

# Exit codes: for settings that no restart corrects, and for what a restart may.
MISCONFIGURED, FAILED = 2, 1


def main() -> int:
    logging.getLogger("playbooks").addHandler(log.Lines())
    try:
        chosen = worker_settings(os.environ)
        LIMITS.set(per_second=chosen["MAX_API_QPS"], connections=chosen["CONCURRENCY"] + 2)
        objects = KubelessObjects(chosen["FUNCTION_NAMESPACE"], chosen["FUNCTION_NAME"])
        with asyncio.Runner(loop_factory=uvloop.new_event_loop if uvloop else None) as runner:
            runner.run(_run(catalogue.load(chosen["PLAYBOOK"]), objects))
    except InvalidSetting as error:
        log.error(str(error))
        return MISCONFIGURED
    except Ended as error:
        log.error(f"the worker ends: {error}")
        return FAILED
    except Exception:
        traceback.print_exc()
        return FAILED
    return 0


async def _run(playbook: Playbook, objects: KubelessObjects) -> None:
    await bootstrap(playbook, objects, os.environ, _watching).run()


def _watching(namespaces: Sequence[str]) -> WatchedCluster:
    return WatchedCluster(namespaces=namespaces)


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    # Without waiting for a thread that is still answering.
    os._exit(code)
