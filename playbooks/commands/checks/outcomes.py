"""What became of the alerts of the last day, as the worker recorded it."""

from __future__ import annotations

from collections import Counter
from typing import List

from playbooks.commands import in_pod
from playbooks.commands.checks.finding import OK, WARNING, Finding
from playbooks.commands.checks.nats import HOURS, named
from playbooks.commands.deployed import DeployedFunction, selecting
from playbooks.core.cluster.manifest import Manifest
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.outcome import Status
from playbooks.engines.worker.operator.protocol import HISTORY

OUTCOMES = "outcomes"


def look(cluster: ClusterObjects, deployed: DeployedFunction, function: Manifest) -> List[Finding]:
    """Nothing where no alert was answered. Raises DeploymentError where no worker can be asked."""
    words = ("--uid", deployed.uid, "--since", str(HOURS * 3600))
    answer = in_pod.run(cluster, deployed, HISTORY, *words)
    if answer.why:
        return [Finding(OUTCOMES, WARNING, f"they are not on record: {answer.why}")]
    statuses = Counter(str(line.get("status")) for line in answer.lines)
    if not statuses:
        return []
    if set(statuses) != {str(Status.SKIPPED)}:
        said = f"of the last {HOURS} hours: {named(statuses)}"
        return [Finding(OUTCOMES, OK, said)]
    reasons = Counter(str(line.get("reason")) for line in answer.lines)
    said = f"all {len(answer.lines)} alerts of the last {HOURS} hours were skipped"
    do = f"falco-playbook history {selecting(function)} --skipped --why"
    return [Finding(OUTCOMES, WARNING, f"{said}: {named(reasons)}", do)]
