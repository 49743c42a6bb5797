"""Slack messages: about what a playbook did, would have done, or failed to do, and their parts.

Text of an alert stands in objects of the type ``plain_text``, in which Slack makes nothing bold, no
emoji, no link and no mention. Source: https://docs.slack.dev/reference/block-kit/composition-objects
and https://docs.slack.dev/messaging/formatting-message-text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Mapping, Tuple

from playbooks.core.alert import Alert
from playbooks.core.instant import Instant
from playbooks.core.notifications import kinds, links
from playbooks.core.notifications.mitre import mitre
from playbooks.core.notifications.plain_text import plain
from playbooks.core.outcome import Outcome

_COLOURS = {
    kinds.ACTED: "#2f9e44",
    kinds.WOULD: "#2f80ed",
    kinds.FAILED: "#d40e0d",
    kinds.HELD: "#f2b705",
    kinds.WAITS: "#f2b705",
    kinds.TRIPPED: "#e8590c",
    kinds.UNDONE: "#9aa0a6",
    kinds.VERIFIED: "#2f9e44",
    kinds.NOT_VERIFIED: "#d40e0d",
}

# Characters that Slack takes, and fields of a section.
LONGEST_TEXT = 3000

LONGEST_FIELD = 2000

MOST_FIELDS = 10

# A command that a person may copy: ours, with names of Kubernetes' objects.
_COMMAND = re.compile(r"[\w ./:=-]{1,500}", re.ASCII)

Object = Dict[str, Any]


@dataclass(frozen=True)
class MessageOptions:
    """``cluster_field``: the alert's output field that names its cluster. ``runbook``, ``link``:
    templates of links, empty for none. ``namespace``: of the function, empty where not known."""

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


_DEFAULT = MessageOptions()


def message(
    playbook: str, alert: Alert, outcome: Outcome, options: MessageOptions = _DEFAULT
) -> Object:
    """Never the alert's own text. ``why`` is a section of its own, a check a line."""
    kind = kinds.kind(outcome)
    title = sentence(playbook, kind, outcome)
    cluster = options.cluster(alert)
    blocks = [section(outcome.message or title)]
    blocks += facts(
        ("Rule", alert.rule),
        ("Priority", str(alert.priority)),
        ("Time", alert.time),
        ("Reason", outcome.reason),
        ("Cluster", cluster),
        ("MITRE", mitre(alert.tags)),
        ("Trace", outcome.trace_id),
    )
    blocks += commands(*_commands(playbook, kind, outcome, options))
    fields = links.of_outcome(playbook, alert, outcome, cluster)
    blocks += linked(options, fields)
    checks = [f"{number}. {check}" for number, check in enumerate(outcome.why, 1)]
    if checks:
        blocks.append(section("Why", *checks))
    return made(title, _COLOURS[kind], blocks)


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


def _commands(
    playbook: str, kind: str, outcome: Outcome, options: MessageOptions
) -> Iterator[Tuple[str, str]]:
    chosen = f"-p {playbook}" + (f" -n {options.namespace}" if options.namespace else "")
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


# The parts of a message


def made(text: str, colour: str, blocks: List[Object]) -> Object:
    """``text``: what a notification shows, in which nothing is bold."""
    return {
        "text": escaped(plain(text), LONGEST_TEXT),
        "mrkdwn": False,
        "attachments": [{"color": colour, "blocks": blocks}],
    }


def section(*lines: str) -> Object:
    return {"type": "section", "text": plain_text(LONGEST_TEXT, *lines)}


def facts(*named: Tuple[str, object]) -> List[Object]:
    """A section with the name and value of each that there is; a time as the reader's clock has
    it."""
    fields = [
        _time(name, value) if isinstance(value, Instant) else _fact(name, str(value))
        for name, value in named
        if value
    ]
    return [{"type": "section", "fields": fields[:MOST_FIELDS]}] if fields else []


def commands(*named: Tuple[str, str]) -> List[Object]:
    """A section with commands to copy; what is not one of ours is left out."""
    lines = [
        f"*{name}*: `{escaped(command, LONGEST_FIELD)}`"
        for name, command in named
        if _COMMAND.fullmatch(command)
    ]
    return [_section("\n".join(lines))] if lines else []


def linked(options: MessageOptions, fields: Mapping[str, str]) -> List[Object]:
    named = (("Runbook", options.runbook), ("More", options.link))
    found = [
        f"<{escaped(links.filled(template, fields), LONGEST_FIELD)}|{name}>"
        for name, template in named
        if template
    ]
    return [_section(" \u00b7 ".join(found))] if found else []


def plain_text(longest: int, *lines: str) -> Object:
    """Lines of whatever text: Slack shows them as they are."""
    body = escaped("\n".join(map(plain, lines)), longest)
    return {"type": "plain_text", "text": body, "emoji": False}


def _fact(name: str, value: str) -> Object:
    return plain_text(LONGEST_FIELD, name, value)


def _time(name: str, value: Instant) -> Object:
    shown = f"<!date^{value.seconds}^{{date_short}} {{time_secs}}|{value}>"
    return {"type": "mrkdwn", "text": f"{name}\n{shown}", "verbatim": True}


def _section(text: str) -> Object:
    """Text of ours."""
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def escaped(value: str, longest: int) -> str:
    """Slack's three control characters escaped, cut where it would be too long."""
    escaped, length = [], 0
    for character in value:
        safe = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}.get(character, character)
        length += len(safe)
        escaped.append(safe)
        if length > longest:
            break
    else:
        return "".join(escaped)
    while length > longest - 1:
        length -= len(escaped.pop())
    return "".join(escaped) + "\u2026"
