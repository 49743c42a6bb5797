"""``PLAYBOOK=delete python -m playbooks.engines.worker``: runs a worker on its cluster."""

from __future__ import annotations

import signal

if __name__ == "__main__":
    # In its container it is process 1, which the kernel sends no signal that nobody listens to: the
    # one that ends a pod would be lost while the rest is imported. Held back, it is there once the
    # worker listens.
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT))

import asyncio
import os
import sys
from typing import Sequence

from playbooks.core import VERSION, catalogue
from playbooks.core.errors import InvalidSetting
from playbooks.core.playbook import Playbook
from playbooks.core.settings import Settings
from playbooks.core.tracing.spans import NoSpans, Spans
from playbooks.engines import log
from playbooks.engines.worker.bootstrap import bootstrap
from playbooks.engines.worker.settings import worker_settings
from playbooks.engines.worker.worker import Ended
from playbooks.infrastructure import tracing
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
    log.take_over()
    try:
        chosen = worker_settings(os.environ)
        LIMITS.set(per_second=chosen["MAX_API_QPS"], connections=chosen["CONCURRENCY"] + 2)
        objects = KubelessObjects(chosen["FUNCTION_NAMESPACE"], chosen["FUNCTION_NAME"])
        with asyncio.Runner(loop_factory=uvloop.new_event_loop if uvloop else None) as runner:
            runner.run(_run(_playbook(chosen["PLAYBOOK"]), objects, spans_of(chosen)))
    except InvalidSetting as error:
        log.error(str(error))
        return MISCONFIGURED
    except Ended as error:
        log.error(f"the worker ends: {error}")
        return FAILED
    except Exception as error:
        said = log.traceback_of(error)
        log.error(f"the worker ends: {type(error).__name__}", traceback=said)
        return FAILED
    return 0


def _playbook(name: str) -> Playbook:
    try:
        return catalogue.load(name)
    except InvalidSetting as error:
        there = catalogue.names()
        if name in there:
            raise
        raise InvalidSetting(
            f"this worker has no playbook {name!r}, only {', '.join(there)}: an image has those"
            " that were there when it was built. Build it again, with a new tag"
        ) from error


def spans_of(settings: Settings) -> Spans:
    """Such as nobody sees where their packages are missing: alerts are answered all the same."""
    function = settings["FUNCTION_NAME"]
    resource = {
        "service.name": settings["OTEL_SERVICE_NAME"] or function,
        "service.version": VERSION,
        "k8s.namespace.name": settings["FUNCTION_NAMESPACE"],
        "falco.function": function,
        "falco.playbook": settings["PLAYBOOK"],
    }
    try:
        return tracing.spans(settings, resource=resource)
    except InvalidSetting as error:
        log.warn(str(error))
        return NoSpans()


async def _run(playbook: Playbook, objects: KubelessObjects, spans: Spans) -> None:
    def watching(namespaces: Sequence[str]) -> WatchedCluster:
        return WatchedCluster(namespaces=namespaces)

    await bootstrap(playbook, objects, os.environ, watching, spans).run()


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    # Without waiting for a thread that is still answering.
    os._exit(code)
