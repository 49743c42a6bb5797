"""NATS, its stream, the alerts in it and what became of them, as the worker sees that from where it
is."""

from __future__ import annotations

from collections import Counter
from typing import Any, Dict, List, Mapping

from playbooks.commands.checks.finding import FAILED, OK, UNKNOWN, WARNING, Finding, evaluated
from playbooks.commands.checks.serving import Checked
from playbooks.commands.targets.deployed import selecting
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.outcome import Status
from playbooks.deployment.errors import DeploymentError
from playbooks.deployment.manifests import record
from playbooks.deployment.workers import in_pod
from playbooks.engines.worker.operator.protocol import INSPECT
from playbooks.engines.worker.topics import renaming

NATS, STRANGERS, RECORDS = "nats", "nats, strangers", "nats, records"
STREAM, BOUNDS = "jetstream", "jetstream, bounds"
IDENTITY, HOSTNAME = "alerts, identity", "alerts, hostname"
SUBJECTS = "alerts, subjects"
ANSWERED, OUTCOMES = "alerts, guards", "outcomes"

# Hours that are looked back, and alerts that are read: the newest.
HOURS, MOST = 24, 5000

# Rules and hosts that a line names.
_SHOWN = 5

_REACH = "check NATS_URL, its credentials, and the network policies on the way"
_ACCESS = "configure users in NATS (docs/nats.md); only the publisher may publish on falco.>"
_FIELDS = "add k8s.pod.uid and container.id to Falco's append_output, as docs/engines.md shows"
_RENAMED = "take out what renames them, or deploy the playbook with a topic (-t) that matches"
_GUARDS = "change these settings or the topics, unless that is what you want (docs/guards.md)"
_RIGHTS = "give it what falco-playbook nats-user prints, unless it is another worker's user"
_TRIGGER = (
    "trigger a rule of Falco, or publish a test alert on NATS (docs/try-it.md), and check again"
)
_NODE_NAME = "make Falco report its node's name (FALCO_HOSTNAME, as its Helm chart sets it)"


def look(checked: Checked) -> List[Finding]:
    """Raises DeploymentError where no worker can be asked."""
    cluster, deployed, topics = checked.cluster, checked.served.deployed, checked.served.topics
    if record.engine_of(checked.served.function):
        return []
    if deployed is None:
        said = "Kubeless' controller reaches it, not the function: nothing of it is looked at"
        return [Finding(NATS, WARNING, said, "alerts arrive at most once there")]
    bounds = ("--hours", str(HOURS), "--most", str(MOST))
    wanted = ("--topics", *topics) if topics else ()
    answer = in_pod.run(deployed, INSPECT, *bounds, *wanted)
    about = {str(line.get("about")): line for line in answer.lines}
    if not about:
        raise DeploymentError(answer.why or "the worker gave no answer")
    findings = [_nats(about["nats"])] if "nats" in about else []
    findings += [_strangers(about["strangers"])] if "strangers" in about else []
    findings += _streams(about["stream"]) if "stream" in about else []
    findings += [_records(about["records"])] if "records" in about else []
    if "alerts" in about:
        findings += _alerts(cluster, about["alerts"])
    if answer.why:
        findings.append(Finding(NATS, UNKNOWN, f"the rest could not be checked: {answer.why}"))
    return findings


def _nats(line: Mapping[str, Any]) -> Finding:
    if "why" not in line:
        return Finding(NATS, OK, f"the worker reaches {line['servers']}")
    said = f"the worker does not reach {line['servers']}: {line['why']}"
    return Finding(NATS, FAILED, said, _REACH)


def _strangers(line: Mapping[str, Any]) -> Finding:
    if "why" in line:
        return Finding(STRANGERS, FAILED, line["why"], _ACCESS)
    if "unknown" in line:
        return Finding(STRANGERS, UNKNOWN, f"could not be tried: {line['unknown']}")
    return Finding(STRANGERS, OK, "anonymous connections are rejected")


def _records(line: Mapping[str, Any]) -> Finding:
    refused = ", ".join(line["refused"])
    if refused:
        said = f"the worker's NATS user may not publish on {refused}: alerts are held, or answered"
        return Finding(RECORDS, FAILED, f"{said}, and that is kept nowhere", _RIGHTS)
    return Finding(RECORDS, OK, "the worker may store dead letters and outcomes")


def _streams(line: Mapping[str, Any]) -> List[Finding]:
    bounds = [Finding(BOUNDS, WARNING, *_advised(said)) for said in line.get("bounds", ())]
    return [_stream(line), *bounds]


def _advised(said: str) -> List[str]:
    """What is wrong, and the command that corrects it."""
    wrong, _, command = said.rpartition(": ")
    return [wrong, f"{command} (docs/nats.md)"]


def _stream(line: Mapping[str, Any]) -> Finding:
    if "name" in line:
        return Finding(STREAM, OK, f"stream {line['name']} keeps falco.>")
    if "missing" in line:
        said = f"{line['missing']}: alerts are lost while no worker runs"
        return Finding(STREAM, WARNING, said, "enable JetStream in NATS")
    if "unknown" in line:
        return Finding(STREAM, UNKNOWN, str(line["unknown"]))
    return Finding(STREAM, FAILED, str(line["why"]), "read the worker's log")


def _alerts(cluster: ClusterObjects, line: Mapping[str, Any]) -> List[Finding]:
    if "unknown" in line:
        return [Finding(IDENTITY, UNKNOWN, str(line["unknown"]))]
    renamed = [
        Finding(SUBJECTS, FAILED, renaming(topic, subject), _RENAMED)
        for topic, subject in sorted(line.get("renamed", {}).items())
    ]
    if not line["read"]:
        said = f"there is no alert of the last {HOURS} hours to check"
        found = Finding(IDENTITY, WARNING, said, _TRIGGER)
        return [*renamed, found]
    hostname = evaluated(HOSTNAME, lambda: [_hostname(cluster, line)])
    return [*renamed, _identity(line), *hostname, *_answered(line)]


def _answered(line: Mapping[str, Any]) -> List[Finding]:
    """What the guards say of the alerts themselves, with the settings that are deployed."""
    refused: Dict[str, int] = line["refused"]
    number = line["passed"] + sum(refused.values())
    if not number:
        return []
    if not refused:
        return [Finding(ANSWERED, OK, f"none of {number} alerts is skipped for what is in it")]
    if line["passed"]:
        said = f"{line['passed']} of {number} alerts pass; skipped for what is in them"
        return [Finding(ANSWERED, OK, f"{said}: {named(refused)}")]
    words: Dict[str, str] = line["words"]
    why = "; ".join(f"{count} {code} ({words.get(code, '')})" for code, count in refused.items())
    which = f"every alert of the last {HOURS} hours ({number}) would have been skipped"
    return [Finding(ANSWERED, WARNING, f"{which}: {why}", _GUARDS)]


def _identity(line: Mapping[str, Any]) -> Finding:
    without = sum(line["unidentified"].values())
    about_pods = line["identified"] + without
    which = f"{'the newest ' if line['cut'] else ''}{line['read']} of the last {HOURS} hours"
    rest = [f"{line['about_none']} are about no pod"] if line["about_none"] else []
    rest += [f"{line['invalid']} are invalid"] if line["invalid"] else []
    more = f" ({which}; {', '.join(rest)})" if rest else f" ({which})"
    if not about_pods:
        return Finding(IDENTITY, WARNING, f"no alert is about a pod{more}")
    said = f"{line['identified']} of {about_pods} alerts about a pod have its uid or a container id"
    if not without:
        return Finding(IDENTITY, OK, said + more)
    status = WARNING if line["identified"] else FAILED
    return Finding(IDENTITY, status, f"{said}; not {named(line['unidentified'])}{more}", _FIELDS)


def _hostname(cluster: ClusterObjects, line: Mapping[str, Any]) -> Finding:
    nodes = {node["metadata"]["name"] for node in cluster.list(("nodes",))}
    hosts: Dict[str, int] = line["hosts"]
    strange = {host or "none at all": n for host, n in hosts.items() if host not in nodes}
    if not strange:
        return Finding(HOSTNAME, OK, f"the hostname is a node's: {named(hosts)}")
    said = f"in {sum(strange.values())} of {sum(hosts.values())} alerts the hostname is no node's"
    return Finding(HOSTNAME, WARNING, f"{said}: {named(strange)}", _NODE_NAME)


def outcomes(checked: Checked) -> List[Finding]:
    """What became of the alerts of the last day, as the worker recorded it; nothing where none was
    answered. Raises DeploymentError where no worker can be asked."""
    deployed = checked.served.deployed
    if deployed is None:
        return []
    answer = in_pod.history(deployed, HOURS * 3600)
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
    do = f"falco-playbook history {selecting(checked.served.function)} --skipped --why"
    return [Finding(OUTCOMES, WARNING, f"{said}: {named(reasons)}", do)]


def named(counts: Mapping[str, int]) -> str:
    """Such as "Terminal shell in container (3)", most of them first."""
    most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    shown = [f"{name} ({count})" for name, count in most[:_SHOWN]]
    return ", ".join(shown + [f"{len(most) - _SHOWN} more"] * (len(most) > _SHOWN))
