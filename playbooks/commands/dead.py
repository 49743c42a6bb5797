"""``falco-playbook dead``: lists a playbook's dead letters, puts them back or drops them."""

from __future__ import annotations

import json
from typing import Any, Dict, List, Mapping

from playbooks.commands import desk, tell
from playbooks.commands.cluster import Cluster
from playbooks.commands.command_line import Options
from playbooks.commands.deployed import Deployed
from playbooks.commands.letter import letter
from playbooks.commands.person import who
from playbooks.commands.table import plain, table
from playbooks.deployment.errors import DeploymentError
from playbooks.engines.worker.operator.protocol import DEAD_LETTERS, DROP, REDELIVER


def dead(options: Options, cluster: Cluster, deployed: Deployed) -> int:
    """The exit code. Raises DeploymentError."""
    if options.redeliver:
        return _settle(options, cluster, deployed, REDELIVER)
    if options.drop:
        return _settle(options, cluster, deployed, DROP)
    return _list(options, cluster, deployed)


def _list(options: Options, cluster: Cluster, deployed: Deployed) -> int:
    answer = desk.ask(cluster, deployed, DEAD_LETTERS)
    if answer.why:
        raise DeploymentError(answer.why)
    letters = [letter(line) for line in answer.lines]
    if options.json:
        _print(letters)
    elif letters:
        print(table(letters), end="")
    else:
        tell("", [f"there are no dead letters of {deployed}"])
    return 0


def _settle(options: Options, cluster: Cluster, deployed: Deployed, what: str) -> int:
    """1 where one that was wanted is kept."""
    answer = desk.ask(cluster, deployed, what, "--by", who(cluster), *desk.ids(options.ids))
    if options.json:
        _print([dict(line) for line in answer.lines])
    else:
        for line in answer.lines:
            print(_said(line))
    if answer.why:
        raise DeploymentError(answer.why)
    if not answer.lines:
        tell("", [f"there are no dead letters of {deployed}"])
    return int(any(line["status"] == "kept" for line in answer.lines))


def _said(line: Mapping[str, Any]) -> str:
    """Such as ``redelivered  17 as FALCO_INBOX:4``."""
    more = f" as {line['as']}" if "as" in line else f": {line['why']}"
    return plain(f"{line['status']:<13}{line['id']}{more}")


def _print(document: List[Dict[str, Any]]) -> None:
    print(json.dumps(document, indent=2))
