"""Slack messages: about what a playbook did, would have done, or failed to do, and their parts.

Text of an alert stands in objects of the type ``plain_text``, in which Slack makes nothing bold, no
emoji, no link and no mention. Source: https://docs.slack.dev/reference/block-kit/composition-objects
and https://docs.slack.dev/messaging/formatting-message-text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Tuple

from playbooks.core.alert import Alert
from playbooks.core.instant import Instant
from playbooks.core.notifications import facts, kinds, links
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
    kinds.CONFIRMED: "#2f9e44",
    kinds.UNCONFIRMED: "#f2b705",
}

# Characters that Slack takes, and fields of a section.
LONGEST_TEXT = 3000

LONGEST_FIELD = 2000

MOST_FIELDS = 10

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
    blocks += fields_of(facts.of_outcome(alert, outcome, cluster))
    blocks += commands(*facts.commands(playbook, outcome, options.namespace))
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


def fields_of(named: facts.Facts) -> List[Object]:
    """A section with the name and value of each that there is; a time as the reader's clock has
    it."""
    fields = [
        _time(name, value) if isinstance(value, Instant) else _fact(name, str(value))
        for name, value in named
        if value
    ]
    return [{"type": "section", "fields": fields[:MOST_FIELDS]}] if fields else []


def commands(*named: Tuple[str, str]) -> List[Object]:
    """A section with commands to copy."""
    lines = [f"*{name}*: `{escaped(command, LONGEST_FIELD)}`" for name, command in named]
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
