"""A playbook on Knative: what the Service and the program in it have in common. No server is
imported here."""

from __future__ import annotations

from playbooks.core.settings import Setting, whole_number

#: Events that are answered at the same time: the Service is deployed with it.
CONCURRENCY = 8

#: Set by Knative.
PORT = Setting("PORT", whole_number(0, 65535), "8080", "The port of the container")

#: The extension attribute in which an event has the token.
TOKEN_ATTRIBUTE = "falcotoken"

TOKEN = Setting(
    "EVENT_TOKEN",
    str,
    "",
    f"What the extension attribute `{TOKEN_ATTRIBUTE}` of an event has to be; empty: events are"
    " taken from whoever reaches the function",
    secret=True,
)
