"""Text as Slack takes it.

Source: https://docs.slack.dev/messaging/formatting-message-text (escaping) and
https://docs.slack.dev/reference/block-kit/blocks.
"""

from __future__ import annotations

from typing import Any, Dict

# Characters that Slack takes, and fields of a section.
LONGEST_TEXT = 3000
LONGEST_FIELD = 2000
MOST_FIELDS = 10


def mrkdwn(prefix: str, value: str, longest: int) -> Dict[str, Any]:
    """Text of ours in front, then text from an alert, of which Slack shall make no links."""
    body = prefix + escaped(value, longest - len(prefix))
    return {"type": "mrkdwn", "text": body, "verbatim": True}


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
