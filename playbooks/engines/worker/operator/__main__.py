"""``python3 -m playbooks.engines.worker.operator VERB ...``: run in a worker's pod by
falco-playbook, because only the worker has the way to NATS, its settings and its credentials.

The answer goes to standard output, as ``protocol`` has it. The NATS user of the worker needs more
rights for some verbs; docs/nats-users.conf gives them:

- ``dead-letters``, ``redeliver``, ``drop``: publish on ``$JS.API.STREAM.MSG.GET.FALCO_DEAD`` and
  ``$JS.API.STREAM.MSG.DELETE.FALCO_DEAD``;
- ``history``: publish on ``$JS.API.CONSUMER.CREATE.FALCO_OUTCOMES.*.>`` and
  ``$JS.API.CONSUMER.MSG.NEXT.FALCO_OUTCOMES.*``.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from typing import Any, AsyncIterator, Callable, Dict, Mapping, NoReturn, Sequence

from playbooks.core.errors import PlaybookError
from playbooks.core.settings import Settings, read
from playbooks.engines.worker.function import ALERTS, OUTCOMES
from playbooks.engines.worker.nats.jetstream import ApiError, NoJetStream
from playbooks.engines.worker.nats.streams import Unusable
from playbooks.engines.worker.operator import dead_letters, history, inspection, protocol
from playbooks.engines.worker.operator.protocol import RequestFailed
from playbooks.engines.worker.settings import IDENTITY, NATS, RELEASE_KEY

# What a verb does: yields the lines of its answer.
Run = Callable[[argparse.Namespace, Settings], AsyncIterator[Dict[str, Any]]]


async def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Returns the exit code."""
    protocol.begin()
    count = 0
    try:
        asked = _parser().parse_args(arguments)
        asked.environ = environ
        verb: Run = asked.run
        async for line in verb(asked, read((*IDENTITY, RELEASE_KEY, *NATS), environ)):
            protocol.say(line)
            count += 1
    except NoJetStream as error:
        return protocol.fail(f"this NATS server stores no messages: {error}")
    except BrokenPipeError:
        raise
    except (RequestFailed, Unusable, ApiError, PlaybookError) as error:
        return protocol.fail(str(error))
    except Exception as error:
        return protocol.fail(repr(error))
    return protocol.end(count)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise RequestFailed(f"this worker does not understand the request: {message}")


def _parser() -> argparse.ArgumentParser:
    """``--uid``: the Function's, which the caller has from the API server."""
    parser = _Parser(prog=protocol.PROGRAM, allow_abbrev=False)
    verbs = parser.add_subparsers(dest="verb", required=True)

    def verb(name: str, run: Run) -> argparse.ArgumentParser:
        added = verbs.add_parser(name, allow_abbrev=False)
        added.set_defaults(run=run)
        return added

    of_function = [verb(protocol.DEAD_LETTERS, dead_letters.listed)]
    for name, run in (
        (protocol.REDELIVER, dead_letters.redelivered),
        (protocol.DROP, dead_letters.dropped),
    ):
        settle = verb(name, run)
        settle.add_argument("--by", default="somebody", help="the person who asks")
        settle.add_argument("--ids", nargs="*", type=int, default=[], help="default: all")
        of_function.append(settle)
    settle.add_argument(
        "--log", default=dead_letters.WORKERS_LOG, help="where dropped ones are logged"
    )
    settle.add_argument("--raw", action="store_true", help="log them as they are")
    past = verb(protocol.HISTORY, history.outcomes)
    past.add_argument("--since", type=int, default=OUTCOMES.hours * 3600, help="seconds")
    note = verb(protocol.NOTE, history.noted)
    note.add_argument("--document", default="{}", help="JSON to store")
    for added in (*of_function, past, note):
        added.add_argument("--uid", required=True)
    inspect = verb(protocol.INSPECT, inspection.inspected)
    inspect.add_argument("--hours", type=int, default=24)
    inspect.add_argument("--most", type=int, default=5000)
    inspect.add_argument("--topics", nargs="*", default=[ALERTS.subjects])
    verb(protocol.STATE, inspection.told)
    verb(protocol.ALERTS, history.alerts).add_argument("--seconds", type=int, required=True)
    return parser


def main() -> None:
    try:
        code = asyncio.run(run(sys.argv[1:], os.environ))
        sys.stdout.flush()
    except BrokenPipeError:
        # The caller is gone. What was redelivered by now is no longer among the dead letters.
        code = 1
    # Without waiting for a connection that is of no use any more.
    os._exit(code)


if __name__ == "__main__":
    main()
