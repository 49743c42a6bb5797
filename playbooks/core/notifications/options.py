"""What the settings say of messages, whoever is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, List, Mapping, Optional, Tuple

from playbooks.core.alert import Alert
from playbooks.core.notifications import links
from playbooks.core.outcome import Outcome


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

    def links(
        self, playbook: str, alert: Alert, outcome: Optional[Outcome] = None
    ) -> List[Tuple[str, str]]:
        """The name and the URL of each."""
        fields = links.of_outcome(playbook, alert, outcome, self.cluster(alert))
        named = (("Runbook", self.runbook), ("More", self.link))
        return [(name, links.filled(template, fields)) for name, template in named if template]
