"""Tell a Slack channel about an alert."""

from playbooks.core.playbook import Playbook
from playbooks.core.ports import Reaction
from playbooks.core.settings import Settings
from playbooks.engines import kubeless
from playbooks.infrastructure.slack_webhook import SlackWebhook
from playbooks.reactions.notify_slack import NotifySlack


def build(settings: Settings) -> Reaction:
    return NotifySlack(SlackWebhook(settings["SLACK_WEBHOOK_URL"]), dry_run=settings["DRY_RUN"])


playbook = Playbook("slack", NotifySlack, build, packages=("requests",))
handler = kubeless.handler(playbook)
