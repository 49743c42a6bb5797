"""What messages say of an alert and of what became of it, whoever is told."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Iterable, Iterator, List, Mapping, Optional, Tuple

from playbooks.core.alert import Alert
from playbooks.core.notifications import kinds, links
from playbooks.core.outcome import Outcome

# Names and values; those without a value are left out.
Facts = List[Tuple[str, object]]

# A command that a person may copy: ours, with names of Kubernetes' objects.
_COMMAND = re.compile(r"[\w ./:=-]{1,500}", re.ASCII)

# What the tags of a rule name of MITRE ATT&CK, and how many of them are shown.
# Source: https://falco.org/docs/concepts/rules/style-guide/ (``mitre_execution``, ``T1059``).
_TECHNIQUE = re.compile(r"T\d{4}(?:\.\d{3})?", re.ASCII)
_TACTIC = re.compile(r"mitre_([a-z_]{3,40})", re.ASCII)
_MOST = 10


@dataclass(frozen=True)
class MessageOptions:
    """What the settings say of messages.

    ``cluster_field``: the alert's output field that names its cluster. ``runbook``, ``link``:
    templates of links, empty for none. ``namespace``: of the function, empty where not known.
    """

    cluster_field: str = "cluster"
    runbook: str = ""
    link: str = ""
    namespace: str = ""

    @classmethod
    def of(cls, settings: Mapping[str, Any], namespace: str = "") -> MessageOptions:
        return cls(
            settings["CLUSTER_FIELD"], settings["RUNBOOK_URL"], settings["LINK_URL"], namespace
        )

    def cluster(self, alert: Alert) -> str:
        found = alert.fields.get(self.cluster_field)
        return found if isinstance(found, str) else ""

    def links(
        self, playbook: str, alert: Alert, outcome: Optional[Outcome] = None
    ) -> List[Tuple[str, str]]:
        """The name and the URL of each."""
        fields = links.of_outcome(playbook, alert, outcome, self.cluster(alert))
        named = (("Runbook", self.runbook), ("More", self.link))
        return [(name, links.filled(template, fields)) for name, template in named if template]


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
        ("MITRE", _mitre(alert.tags)),
        ("Tags", ", ".join(alert.tags)),
    ]


def of_outcome(alert: Alert, outcome: Outcome, cluster: str) -> Facts:
    return [
        ("Rule", alert.rule),
        ("Priority", str(alert.priority)),
        ("Time", alert.time),
        ("Reason", outcome.reason),
        ("Cluster", cluster),
        ("MITRE", _mitre(alert.tags)),
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


def _mitre(tags: Iterable[str]) -> str:
    """Tactics, then techniques: ``Execution, T1059``; empty where the tags name none."""
    known = list(tags)
    tactics = [found[1] for found in map(_TACTIC.fullmatch, known) if found]
    techniques = [tag for tag in known if _TECHNIQUE.fullmatch(tag)]
    words = [tactic.replace("_", " ").strip().capitalize() for tactic in tactics]
    return ", ".join(list(dict.fromkeys([*words, *techniques]))[:_MOST])
