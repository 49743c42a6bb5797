"""``python -m playbooks.engines.worker.operator.__main__ list|redeliver|drop``, in a worker's pod.

``falco-playbook dead`` runs it there, because only the worker has the way to NATS, its settings and
its credentials. It prints one JSON object a line on standard output, of which the last is
``{"end": COUNT}``, or ``{"error": WHY}``: an answer without it broke off.

Beyond what the worker needs, its NATS user must be allowed to publish on
``$JS.API.STREAM.MSG.GET.FALCO_DEAD`` and, to put letters back or drop them, on
``$JS.API.STREAM.MSG.DELETE.FALCO_DEAD``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Callable, Mapping, Sequence

from playbooks.core.errors import PlaybookError
from playbooks.core.settings import read
from playbooks.engines.outcome_log import write_line
from playbooks.engines.worker.in_pod import (
    connected,
    end,
    fail,
    function_of,
    jetstream_of,
    main,
    say,
)
from playbooks.engines.worker.nats.jetstream import ApiError, NoJetStream, Unusable
from playbooks.engines.worker.operator.dead_letters import CannotBeDone, Desk, Letter
from playbooks.engines.worker.settings import IDENTITY, NATS

# Characters of an alert that is dropped which are put on record.
SHOWN = 4096

# Standard error of the worker, whose log a container's log is. Ours goes to who asked.
WORKERS_LOG = "/proc/1/fd/2"


async def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Returns the exit code."""
    asked = _parser().parse_args(arguments)
    count = 0
    try:
        settings = read(IDENTITY + NATS, environ)
        connection = await connected(settings, "falco-playbook dead")
        function = function_of(settings, asked.uid)
        desk = Desk(jetstream_of(connection, settings), function, by=asked.by)
        await desk.open()
        if asked.what == "list":
            async for letter in desk.letters():
                say({**letter.to_dict(), "own": desk.is_own(letter)})
                count += 1
        else:
            note = _note(asked.log, asked.by)
            doing = desk.drop(asked.ids, note) if asked.what == "drop" else desk.put_back(asked.ids)
            async for done in doing:
                say(done)
                count += 1
    except NoJetStream as error:
        return fail(f"this NATS keeps nothing, so that there are no dead letters: {error}")
    except BrokenPipeError:
        raise
    except (CannotBeDone, Unusable, ApiError, PlaybookError) as error:
        return fail(str(error))
    except Exception as error:
        return fail(repr(error))
    return end(count)


def _note(path: str, who: str) -> Callable[[Letter], None]:
    """Writes into the worker's log what is dropped, and by whom. Raises CannotBeDone."""

    def note(letter: Letter) -> None:
        line = {
            "level": "warning",
            "message": f"dead letter {letter.sequence} is dropped",
            "by": who,
            "reason": letter.says("Reason"),
            "origin": letter.says("Origin"),
            "body": letter.body.decode("utf-8", "replace")[:SHOWN],
        }
        try:
            with Path(path).open("a", encoding="utf-8") as log:
                write_line(json.dumps(line), log)
        except OSError as error:
            raise CannotBeDone(
                f"{letter.sequence} is not dropped, since that cannot be put on record: {error}"
            ) from error

    return note


def _parser() -> argparse.ArgumentParser:
    """``uid``: the Function's, which the caller has from the API server."""
    parser = argparse.ArgumentParser(prog="dead_letter_desk", allow_abbrev=False)
    parser.add_argument("what", choices=("list", "redeliver", "drop"))
    parser.add_argument("--uid", required=True)
    parser.add_argument("--by", default="somebody", help="who asks, for the record")
    parser.add_argument("--ids", nargs="*", type=int, default=[], help="none: all")
    parser.add_argument("--log", default=WORKERS_LOG, help="where that is put on record")
    return parser


if __name__ == "__main__":
    main(run)
