"""Tell a Slack channel about an alert."""

from playbooks.core.notifications.facts import MessageOptions
from playbooks.core.playbook import Playbook
from playbooks.core.ports import Collaborators
from playbooks.core.reaction import Reaction
from playbooks.core.redaction.redaction import Redaction
from playbooks.core.settings import Settings
from playbooks.engines import kubeless
from playbooks.infrastructure.this_pod import without_cluster
from playbooks.infrastructure.webhooks import SlackWebhook
from playbooks.reactions.notify_slack import NotifySlack


def build(settings: Settings, _collaborators: Collaborators) -> Reaction:
    webhook = SlackWebhook(settings["SLACK_WEBHOOK_URL"])
    return NotifySlack(webhook, Redaction.of(settings), MessageOptions.of(settings))


playbook = Playbook("slack", NotifySlack, build, without_cluster, packages=("requests",))
handler = kubeless.handler(playbook)
