"""Guards: rules that can stop a playbook before it acts, each with a stable reason code.

Every playbook asks ``FILTERS``. One that acts on the cluster asks all of ``ORDER``, in that order:
first those that the alert alone answers, then, once the target is proven, the others.
"""

from __future__ import annotations

from typing import Tuple, Type

from playbooks.core.guards.blast_radius import BlastRadius
from playbooks.core.guards.exempt import Exemptions
from playbooks.core.guards.filters import MinimumPriority, OnlyNamespaces, OnlyRules, ThisCluster
from playbooks.core.guards.guard import Guard
from playbooks.core.guards.nodes import LastNodes
from playbooks.core.guards.own import OwnAccount, OwnNode, OwnPods
from playbooks.core.guards.protected import ProtectedNamespaces, ProtectedOwners
from playbooks.core.guards.stale import StaleAlerts
from playbooks.core.ledger.ledger import Ledger
from playbooks.core.ledger.limits import Limits
from playbooks.core.notifications import settings as notifications
from playbooks.core.ports import ClusterCollaborators, Collaborators
from playbooks.core.redaction import redaction
from playbooks.core.settings import Setting, Settings, yes_or_no

FILTERS: Tuple[Type[Guard], ...] = (
    ThisCluster,
    MinimumPriority,
    OnlyRules,
    OnlyNamespaces,
    OwnAccount,
    OwnPods,
)

ORDER: Tuple[Type[Guard], ...] = (
    *FILTERS,
    ProtectedNamespaces,
    StaleAlerts,
    ProtectedOwners,
    OwnNode,
    LastNodes,
    Exemptions,
    BlastRadius,
)

DRY_RUN = Setting(
    "DRY_RUN", yes_or_no, "false", "Make every read and no change, and say what would be done"
)


def settings(*, acts: bool) -> Tuple[Setting, ...]:
    """Those of every playbook, whatever its reaction. ``acts``: it acts on the cluster."""
    asked = ORDER if acts else FILTERS
    of_guards = (setting for guard in asked for setting in guard.SETTINGS)
    return (*of_guards, DRY_RUN, *redaction.SETTINGS, *(notifications.SETTINGS if acts else ()))


def filters(
    settings: Settings, collaborators: Collaborators, *, looked_up: bool
) -> Tuple[Guard, ...]:
    return (
        ThisCluster(settings["CLUSTER"], settings["CLUSTER_FIELD"]),
        MinimumPriority(settings["MINIMUM_PRIORITY"]),
        OnlyRules(settings["RULES"]),
        OnlyNamespaces(settings["NAMESPACES"], looked_up),
        OwnAccount(collaborators.own_pod),
        OwnPods(collaborators.own_pod, looked_up),
    )


def guards(
    playbook: str, settings: Settings, collaborators: ClusterCollaborators
) -> Tuple[Guard, ...]:
    """All of them, for a playbook that acts on the cluster."""
    limits = Limits.of(settings)
    effect = settings.get("TAINT_EFFECT", "")
    return (
        *filters(settings, collaborators, looked_up=True),
        ProtectedNamespaces(settings["PROTECTED_NAMESPACES"]),
        StaleAlerts(settings["MAX_ALERT_AGE"]),
        ProtectedOwners(settings["ALLOW_OWNERS"]),
        OwnNode(collaborators.own_pod, effect),
        LastNodes(collaborators.cluster),
        Exemptions(playbook, collaborators.cluster, settings["EXEMPT_PODS"]),
        BlastRadius(
            Ledger(collaborators.ledger, limits),
            collaborators.cluster,
            limits,
            taint=(settings["TAINT_KEY"], effect) if effect else None,
        ),
    )
