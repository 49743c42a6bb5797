"""Delete the object that an audit alert reports as just created."""

from __future__ import annotations

import re
from typing import List, Optional, Tuple, Union

from playbooks.core.action import Action
from playbooks.core.alert import Alert
from playbooks.core.cluster import api_object
from playbooks.core.cluster.api_object import ApiObject, ObjectKind
from playbooks.core.cluster.changes import BY_UID, DELETE, Changes, Rule, deletion
from playbooks.core.cluster.creation import of_alert
from playbooks.core.cluster.manifest import LEDGER, Manifest
from playbooks.core.cluster.permissions import Permission
from playbooks.core.containment.containment import contained, undo_command
from playbooks.core.containment.revocation import REVOKED, Revocation, note
from playbooks.core.errors import NotFound, NotTheSameObject
from playbooks.core.outcome import ACCEPTED, Outcome
from playbooks.core.ports import Cluster, Ledger
from playbooks.core.reaction import OBJECTS, Reaction, Verified, target_now
from playbooks.core.settings import Setting, names

LISTED = "REVOKE_KINDS"

# Seconds by which an object may be older than the alert: the API server writes whole seconds, and
# the time of an audit alert is that of the answer.
OLDER = 1

# Labels of what a cluster makes of itself and makes again.
_OF_THE_CLUSTER = ("addonmanager.kubernetes.io/mode", "kubernetes.io/bootstrapping")
_KUBE_SYSTEM = "kube-system"

# What deploy_playbook calls its own objects outside of the functions' namespace.
_OURS = re.compile(r"falco-playbook(-[a-z0-9.-]+)?", re.ASCII)

_OBJECT = "oldObject.metadata.?labels.orValue({})"


def kinds(value: str) -> Tuple[ObjectKind, ...]:
    """Names of kinds, comma-separated."""
    known = {kind.kind: kind for kind in api_object.KINDS}
    found = names(value)
    if not found or not set(found) <= set(known):
        raise ValueError(f"one or more of {', '.join(known)}, comma-separated")
    return tuple(known[name] for name in found)


def _marks(found: Manifest) -> List[str]:
    """Labels by which an object is left alone."""
    labels = found["metadata"].get("labels") or {}
    return [key for key in (*_OF_THE_CLUSTER, LEDGER) if key in labels]


class RevokeObject(Reaction):
    """Only an object that was created within the second of the alert, which names it.

    ``own``: the namespace of the playbooks.
    """

    TARGETS = OBJECTS
    DONE = ("object-gone", "terminating")
    KINDS = tuple(kind.kind for kind in api_object.KINDS)
    CONTAINMENT = Revocation
    SETTINGS = (
        Setting(
            LISTED,
            kinds,
            "RoleBinding,ClusterRoleBinding,Role,ClusterRole",
            f"Kinds whose new objects are deleted, comma-separated: {', '.join(KINDS)}. The account"
            " gets rights on these alone",
        ),
    )
    PERMISSIONS = tuple(
        Permission(
            kind.resource,
            ("get", "delete"),
            kind.group,
            cluster_wide=kind.cluster_wide,
            only_with=LISTED,
            only_for=kind.kind,
        )
        for kind in api_object.KINDS
    )
    CHANGES = (
        Changes(
            api_object.KINDS[0].resource,
            group=api_object.KINDS[0].group,
            further=tuple((kind.resource, kind.group) for kind in api_object.KINDS[1:]),
            named="objects",
            operations=(DELETE,),
            rules=(
                BY_UID,
                Rule(
                    "deletes nothing that the cluster makes of itself",
                    f"!({_OBJECT}.exists(k, k in {list(_OF_THE_CLUSTER)}))",
                ),
                Rule(
                    f"deletes nothing in {_KUBE_SYSTEM}, and no ledger",
                    f"request.namespace != '{_KUBE_SYSTEM}' && !('{LEDGER}' in {_OBJECT})",
                    forbids=lambda namespace, _: namespace == _KUBE_SYSTEM,
                ),
            ),
            allowed=lambda found, _: None if _marks(found) else deletion(found, 0),
        ),
    )

    def __init__(
        self, cluster: Cluster, ledger: Ledger, *, kinds: Tuple[ObjectKind, ...], own: str
    ) -> None:
        self._cluster = cluster
        self._ledger = ledger
        self._kinds = kinds
        self._own = own

    def plan(self, alert: Alert) -> Union[Action, Outcome]:
        created = of_alert(alert, self._kinds)
        if isinstance(created, Outcome):
            return created
        target = str(created)
        try:
            found = self._cluster.object(created.kind, created.name, namespace=created.namespace)
        except NotFound:
            return Outcome.skipped("object-gone", f"{target} is gone", target)
        age = alert.time.seconds - found.created.seconds
        if not 0 <= age <= OLDER:
            said = f"{target} was created at {found.created}, the alert is of {alert.time}"
            return Outcome.skipped("not-the-same-object", said, target, uid=found.uid)
        if found.is_terminating:
            said = f"{target} is being deleted{_kept_by(found)}"
            return Outcome.skipped("terminating", said, target, uid=found.uid)
        why = self._protected(found)
        if why:
            said = f"{target} is left alone: {why}"
            return Outcome.skipped("protected-object", said, target, held=True, uid=found.uid)
        proof = f"{target} was created at {found.created}, when the alert says so"
        return Action(
            "revoke",
            target,
            f"delete {target}",
            lambda: self._revoke(found, proof),
            changed=found,
            facts={"uid": found.uid, "evidence": proof},
            why=(proof,),
        )

    def verify(self, action: Action) -> Optional[Verified]:
        found = target_now(action.changed, self._cluster)
        if isinstance(found, Verified):
            return found
        left = _kept_by(found) if found.is_terminating else ": it is not being deleted"
        return Verified(False, f"{found} is still there{left}")

    def _protected(self, found: ApiObject) -> str:
        """Why a person has to decide, or empty. Anybody can write such a label or name: it makes
        the alert wait for a person, who is told, and does not end it."""
        marks = [key for key in _OF_THE_CLUSTER if key in found.labels]
        if found.namespace == _KUBE_SYSTEM:
            return f"it is in {_KUBE_SYSTEM}"
        if marks:
            return f"it has the label {marks[0]}, as what the cluster makes of itself"
        if found.namespace == self._own:
            return f"it is in {self._own}, the namespace of the playbooks"
        ours = found.name.startswith("falco-") and found.name.endswith(f".{self._own}")
        if ours or _OURS.fullmatch(found.name) or LEDGER in found.labels:
            return "it is called, or labelled, as an object of the playbooks"
        return ""

    def _revoke(self, found: ApiObject, proof: str) -> Outcome:
        kept = note(found)
        if kept:
            self._ledger.contain(contained(found, {REVOKED: kept}))
        try:
            self._cluster.delete_object(found)
        except (NotFound, NotTheSameObject):
            self._ledger.release(found.uid, Revocation.KEYS)
            return Outcome.skipped("object-gone", f"{found} is gone", str(found), uid=found.uid)
        undo = {"undo": undo_command(found)} if kept else {}
        remark = "" if kept else "; it cannot be created again: its manifest is not kept"
        reason, done = (
            (ACCEPTED, "deletion accepted of") if found.finalizers else ("revoked", "deleted")
        )
        said = f"{done} {found}{_kept_by(found)}{remark}"
        return Outcome.acted(str(found), reason, said, uid=found.uid, evidence=proof, **undo)


def _kept_by(found: ApiObject) -> str:
    """An object that is being deleted grants what it grants until it is gone."""
    if not found.finalizers:
        return ""
    listed = ", ".join(found.finalizers)[:200]
    return f", and is there, and in force, until its finalizers are taken off ({listed})"
