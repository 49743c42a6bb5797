"""What messages say of an alert and of what became of it, whoever is told."""

from __future__ import annotations

import re
from typing import Iterator, List, Tuple

from playbooks.core.alert import Alert
from playbooks.core.notifications import kinds
from playbooks.core.notifications.mitre import mitre
from playbooks.core.outcome import Outcome

# Names and values; those without a value are left out.
Facts = List[Tuple[str, object]]

# A command that a person may copy: ours, with names of Kubernetes' objects.
_COMMAND = re.compile(r"[\w ./:=-]{1,500}", re.ASCII)


def of_alert(alert: Alert, cluster: str) -> Facts:
    claim = alert.claim
    container = alert.fields.get("container.name")
    known = container if isinstance(container, str) and not claim.host else ""
    return [
        ("Rule", alert.rule),
        ("Priority", str(alert.priority)),
        ("Time", alert.time),
        ("Namespace", claim.namespace),
        ("Pod", claim.pod),
        ("Container", " ".join(part for part in (known, claim.container_id) if part)),
        ("Node", alert.hostname),
        ("Cluster", cluster),
        ("MITRE", mitre(alert.tags)),
        ("Tags", ", ".join(alert.tags)),
    ]


def of_outcome(alert: Alert, outcome: Outcome, cluster: str) -> Facts:
    return [
        ("Rule", alert.rule),
        ("Priority", str(alert.priority)),
        ("Time", alert.time),
        ("Reason", outcome.reason),
        ("Cluster", cluster),
        ("MITRE", mitre(alert.tags)),
        ("Trace", outcome.trace_id),
    ]


def commands(playbook: str, outcome: Outcome, namespace: str) -> Iterator[Tuple[str, str]]:
    """What a person may do next, and the command for it; what is not one of ours is left out.

    ``namespace``: of the function, empty where not known.
    """
    for name, command in _commands(playbook, outcome, namespace):
        if _COMMAND.fullmatch(command):
            yield name, command


def _commands(playbook: str, outcome: Outcome, namespace: str) -> Iterator[Tuple[str, str]]:
    kind = kinds.kind(outcome)
    chosen = f"-p {playbook}" + (f" -n {namespace}" if namespace else "")
    undo = outcome.details.get("undo")
    if undo and kind in (kinds.ACTED, kinds.FAILED):
        yield "To undo it", str(undo)
    tripped = str(outcome.details.get("tripped") or "")
    if kind == kinds.TRIPPED:
        place = f" --budget-of {tripped}" if tripped not in ("", "*") else ""
        yield "To reset the budget", f"falco-playbook reset {chosen}{place}"
    if outcome.reason == "paused":
        yield "To resume it", f"falco-playbook resume {chosen}"
    if kind in (kinds.HELD, kinds.TRIPPED, kinds.FAILED):
        yield "To see the alert", f"falco-playbook dead {chosen}"


def sentence(playbook: str, kind: str, outcome: Outcome) -> str:
    """Such as ``isolate: isolated pod shop/web-1``."""
    target, reference = outcome.target, outcome.target_ref
    verb = reference.verb if reference else ""
    about = f" about {target}" if target else ""
    # What is accepted is done when the object is gone.
    done = f"asked to {verb}" if outcome.accepted else _past(verb)
    words = {
        kinds.ACTED: f"{done} {target}" if verb and target else "",
        kinds.WOULD: f"would have {_past(verb)} {target} (dry run)" if verb and target else "",
        kinds.FAILED: f"failed{about}: {outcome.reason}",
        kinds.HELD: f"holds an alert{about}: {outcome.reason}",
        kinds.WAITS: f"waits with alerts{about}: {outcome.reason}",
        kinds.TRIPPED: f"has used up its budget in {_place(outcome)} and holds alerts there",
        kinds.UNDONE: f"released {target}" if target else "",
        kinds.VERIFIED: f"{_past(verb)} {target}, and it is so" if verb and target else "",
        kinds.NOT_VERIFIED: f"{verb} of {target} is not verified" if verb and target else "",
    }
    return f"{playbook}: {words.get(kind) or outcome.message}"


def _past(verb: str) -> str:
    """Of a regular verb, as those of the actions are."""
    return f"{verb}d" if verb.endswith("e") else f"{verb}ed"


def _place(outcome: Outcome) -> str:
    tripped = str(outcome.details.get("tripped") or "")
    return "all namespaces" if tripped in ("", "*") else f"namespace {tripped}"
