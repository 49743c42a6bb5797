"""What the account of ``IsolatePod`` may change of policies, whatever kind they are of, in CEL."""

from __future__ import annotations

from typing import Any, Optional, Tuple

from playbooks.core.cluster import network_policy
from playbooks.core.cluster.changes import (
    BY_UID,
    CREATE,
    DELETE,
    UPDATE,
    Body,
    Changes,
    Rule,
    Texts,
    deletion,
)
from playbooks.core.cluster.manifest import Manifest
from playbooks.core.cluster.network_policy import LABEL, POLICY_PREFIX, Reachable
from playbooks.core.cluster.pod import Pod
from playbooks.core.cluster.policies import denying
from playbooks.core.cluster.policies.kinds import NETWORK_POLICY, PolicyKind
from playbooks.core.settings import namespaces, networks

DIRECTION, CIDRS, NAMESPACES, DNS, TTL = (
    "ISOLATE_DIRECTION",
    "ISOLATE_ALLOW_CIDRS",
    "ISOLATE_ALLOW_NAMESPACES",
    "ISOLATE_ALLOW_DNS",
    "ISOLATE_TTL",
)

# The uid of the pod that an object is labelled for, or was, or empty.
LABELLED, WAS_LABELLED = (
    f"{which}.metadata.?labels[?'{LABEL}'].orValue('')" for which in ("object", "oldObject")
)

ONLY_WITH_TTL = Rule(f"deletes nothing without {TTL}", f"params.data.{TTL} != 'off'", (TTL,))


def setting(name: str) -> str:
    """CEL: the parts of a setting."""
    return f"params.data.{name}.split(',')"


def body(kind: PolicyKind, **spec: Any) -> Body:
    """The policy of a kind about a pod, but for fields of its spec; None leaves one out."""

    def made(target: Manifest, texts: Texts) -> Manifest:
        types = network_policy.directions(texts.get(DIRECTION, "both"))
        reachable = Reachable(
            networks(texts.get(CIDRS, "")),
            namespaces(texts.get(NAMESPACES, "")),
            texts.get(DNS) == "true",
        )
        policy = denying.isolating(kind, Pod(target), types, reachable)
        changed = {key: v for key, v in {**policy["spec"], **spec}.items() if v is not None}
        return {**policy, "spec": changed}

    return made


def _but(kind: PolicyKind, **metadata: Any) -> Body:
    """The same, but for fields of its metadata."""

    def made(target: Manifest, texts: Texts) -> Manifest:
        policy = body(kind)(target, texts) or {}
        return {**policy, "metadata": {**policy["metadata"], **metadata}}

    return made


def of_policies(
    kind: PolicyKind, rules: Tuple[Rule, ...], *, selected: str = LABELLED, named: str = ""
) -> Tuple[Changes, ...]:
    """Those of a kind that it stores, and deletes. ``selected``: CEL, the uid that one selects.
    ``named``: as Changes has it."""
    optional = kind != NETWORK_POLICY
    return (
        Changes(
            kind.resource,
            group=kind.group,
            operations=(CREATE, UPDATE),
            rules=(
                Rule(
                    f"stores no {kind} but {POLICY_PREFIX}*",
                    f"object.metadata.name.startsWith('{POLICY_PREFIX}')",
                    broken_by=_but(kind, name="falco-check"),
                ),
                *rules,
                Rule(
                    f"stores a {kind} that the pod owns which it selects",
                    "object.metadata.?ownerReferences.orValue([]).size() == 1 &&"
                    " object.metadata.ownerReferences.all(o, o.apiVersion == 'v1'"
                    f" && o.kind == 'Pod' && o.uid == {selected})",
                    broken_by=_but(kind, ownerReferences=[]),
                ),
                Rule(
                    f"replaces no {kind} of others",
                    f"oldObject == null || {WAS_LABELLED} == {selected}",
                ),
            ),
            asked_of="pods",
            allowed=body(kind),
            named=named,
            optional=optional,
        ),
        Changes(
            kind.resource,
            group=kind.group,
            operations=(DELETE,),
            rules=(
                Rule(
                    f"deletes no {kind} of others",
                    f"oldObject.metadata.name.startsWith('{POLICY_PREFIX}')"
                    f" && {WAS_LABELLED} != ''",
                    broken_by=_of_others,
                ),
                BY_UID,
                ONLY_WITH_TTL,
            ),
            named=named,
            optional=optional,
        ),
    )


def _of_others(target: Manifest, _: Texts) -> Optional[Manifest]:
    """The deletion of a policy that is none of ours."""
    ours = target["metadata"]["name"].startswith(POLICY_PREFIX)
    return None if ours else deletion(target, 0)
