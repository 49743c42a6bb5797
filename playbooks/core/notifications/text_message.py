"""Messages in plain text, for services that each show text in their own way.

Some make links, mentions and bold of text. What strangers write is one line each, and a zero-width
space stands behind what begins a mention, a tag or a link.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Iterable

from playbooks.core.alert import Alert
from playbooks.core.notifications import facts, kinds
from playbooks.core.notifications.facts import MessageOptions
from playbooks.core.notifications.plain_text import plain
from playbooks.core.outcome import Outcome
from playbooks.core.subjects import Priority

# Characters of a line, and lines of reasons: services cut what is too long for them.
LONGEST, MOST_CHECKS = 1000, 30

# ``@all``, ``<!channel>``, ``[text](url)``, ``https://``.
_SPECIAL = re.compile(r"@|<|\](?=\()|:(?=//)")


@dataclass(frozen=True)
class TextMessage:
    """``urgency``: ``info``, ``success``, ``warning`` or ``failure``, as services colour it."""

    title: str
    body: str
    urgency: str = "info"


_URGENCY = {
    kinds.ACTED: "success",
    kinds.FAILED: "failure",
    kinds.HELD: "warning",
    kinds.WAITS: "warning",
    kinds.TRIPPED: "failure",
}


def of_alert(playbook: str, alert: Alert, options: MessageOptions) -> TextMessage:
    """Of an alert that is redacted."""
    body = _body(
        [alert.message or alert.rule],
        facts.of_alert(alert, options.cluster(alert)),
        [f"{name}: {url}" for name, url in options.links(playbook, alert)],
    )
    urgent = alert.priority >= Priority.ERROR
    urgency = "failure" if urgent else "warning" if alert.priority >= Priority.WARNING else "info"
    return TextMessage(_shown(f"{alert.priority}: {alert.rule}"), body, urgency)


def of_outcome(
    playbook: str, alert: Alert, outcome: Outcome, options: MessageOptions
) -> TextMessage:
    """Never the alert's own text. Of an alert and an outcome that are redacted."""
    kind = kinds.kind(outcome)
    title = facts.sentence(playbook, kind, outcome)
    commands = facts.commands(playbook, outcome, options.namespace)
    links = options.links(playbook, alert, outcome)
    body = _body(
        [outcome.message or title],
        facts.of_outcome(alert, outcome, options.cluster(alert)),
        [f"{name}: {text}" for name, text in (*commands, *links)],
        [f"{n}. {_shown(check)}" for n, check in enumerate(outcome.why[:MOST_CHECKS], 1)],
    )
    return TextMessage(_shown(title), body, _URGENCY.get(kind, "info"))


def _body(
    said: Iterable[str], named: facts.Facts, ours: Iterable[str], why: Iterable[str] = ()
) -> str:
    """Paragraphs of lines. ``ours``: text that is no stranger's."""
    paragraphs = [
        map(_shown, said),
        (f"{name}: {_shown(str(value))}" for name, value in named if value),
        ours,
        why,
    ]
    return "\n\n".join(filter(None, ("\n".join(lines) for lines in paragraphs)))


def _shown(text: str) -> str:
    cut = text if len(text) <= LONGEST else text[: LONGEST - 1] + "\u2026"
    return _SPECIAL.sub(lambda found: f"{found[0]}\u200b", plain(cut))
