"""Guards: rules that can stop a playbook before it acts, each with a stable reason code.

``ORDER`` is the one list of them, in the order in which they are asked, first of the alert alone
and again once the target is proven. A playbook that does not act on the cluster asks those that are
not ``ACTING``. A new guard is a module here and a line in the list.
"""

from __future__ import annotations

from typing import Tuple, Type

from playbooks.core.guards.blast_radius import BlastRadius
from playbooks.core.guards.exempt import Exemptions
from playbooks.core.guards.filters import MinimumPriority, OnlyNamespaces, OnlyRules, ThisCluster
from playbooks.core.guards.guard import Context, Guard
from playbooks.core.guards.nodes import LastNodes
from playbooks.core.guards.own import OwnAccount, OwnNode, OwnPods
from playbooks.core.guards.protected import ProtectedNamespaces, ProtectedOwners
from playbooks.core.guards.stale import StaleAlerts
from playbooks.core.guards.when import When
from playbooks.core.notifications import settings as notifications
from playbooks.core.redaction import redaction
from playbooks.core.settings import Setting, yes_or_no

ORDER: Tuple[Type[Guard], ...] = (
    ThisCluster,
    MinimumPriority,
    OnlyRules,
    OnlyNamespaces,
    When,
    OwnAccount,
    OwnPods,
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


def asked(*, acts: bool) -> Tuple[Type[Guard], ...]:
    """Those that a playbook asks. ``acts``: it acts on the cluster."""
    return tuple(guard for guard in ORDER if acts or not guard.ACTING)


def decisive(*, acts: bool) -> Tuple[Setting, ...]:
    """Those that decide whether a playbook acts. ``acts``: it acts on the cluster."""
    return (*(setting for guard in asked(acts=acts) for setting in guard.SETTINGS), DRY_RUN)


def settings(*, acts: bool) -> Tuple[Setting, ...]:
    """Those of every playbook, whatever its reaction. ``acts``: it acts on the cluster."""
    return (*decisive(acts=acts), *redaction.SETTINGS, *(notifications.SETTINGS if acts else ()))


def guards(context: Context) -> Tuple[Guard, ...]:
    """Those of one playbook, in order."""
    return tuple(guard.of(context) for guard in asked(acts=context.acts))
