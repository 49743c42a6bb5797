"""Send an alert to a program of your own, as a signed CloudEvent."""

from playbooks.core.playbook import Playbook
from playbooks.core.ports import Collaborators
from playbooks.core.reaction import Reaction
from playbooks.core.redaction.redaction import Redaction
from playbooks.core.settings import Settings
from playbooks.engines import kubeless
from playbooks.infrastructure.this_pod import without_cluster
from playbooks.infrastructure.webhooks import SignedWebhook
from playbooks.reactions.call_webhook import CallWebhook


def build(settings: Settings, collaborators: Collaborators) -> Reaction:
    webhook = SignedWebhook(
        settings["WEBHOOK_URL"], settings["WEBHOOK_SECRET"], collaborators.clock
    )
    return CallWebhook(webhook, Redaction.of(settings))


playbook = Playbook("webhook", CallWebhook, build, without_cluster, packages=("requests",))
handler = kubeless.handler(playbook)
