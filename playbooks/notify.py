"""Tell services such as Teams, PagerDuty, mail or Telegram about an alert."""

from playbooks.core.notifications.facts import MessageOptions
from playbooks.core.playbook import Playbook
from playbooks.core.ports import Collaborators
from playbooks.core.reaction import Reaction
from playbooks.core.redaction.redaction import Redaction
from playbooks.core.settings import Settings
from playbooks.engines import kubeless
from playbooks.infrastructure.notifier import AppriseNotifier
from playbooks.infrastructure.this_pod import without_cluster
from playbooks.reactions.notify_services import NotifyServices


def build(settings: Settings, _collaborators: Collaborators) -> Reaction:
    notifier = AppriseNotifier(settings["NOTIFY_URLS"])
    return NotifyServices(notifier, Redaction.of(settings), MessageOptions.of(settings))


playbook = Playbook("notify", NotifyServices, build, without_cluster, packages=("apprise",))
handler = kubeless.handler(playbook)
