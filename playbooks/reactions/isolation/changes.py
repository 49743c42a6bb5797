"""What the account of ``IsolatePod`` may change, in CEL, and what that refuses."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, Tuple

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
    grace_is,
)
from playbooks.core.cluster.manifest import Manifest
from playbooks.core.cluster.network_policy import (
    DNS_NAMESPACE,
    DNS_PORT,
    LABEL,
    NAMESPACE_NAME,
    POLICY_PREFIX,
    Reachable,
    in_namespace,
)
from playbooks.core.cluster.pod import Pod
from playbooks.core.cluster.policies import denying
from playbooks.core.cluster.policies.kinds import NETWORK_POLICY, PolicyKind
from playbooks.core.containment.isolation import GRACE
from playbooks.core.settings import namespaces, networks
from playbooks.reactions.isolation import changes_of_plugins
from playbooks.reactions.isolation.changes_of_plugins import (
    CIDRS,
    DIRECTION,
    DNS,
    NAMESPACES,
    TTL,
)

DETACH = "ISOLATE_DETACH"

_UID = "oldObject.metadata.uid"
_WAS, _NOW = "variables.before_labels", "variables.after_labels"
_KEEPS_LABELS = f"{_WAS}.all(k, k == '{LABEL}' || k in {_NOW})"

# The uid that a NetworkPolicy selects, or empty; that of the pod that it was labelled for before.
_SELECTED = f"object.spec.podSelector.?matchLabels[?'{LABEL}'].orValue('')"
_LABELLED = f"oldObject.metadata.?labels[?'{LABEL}'].orValue('')"


def _labels(**labels: Optional[str]) -> Manifest:
    return {"metadata": {"labels": labels}}


def _stripped(target: Manifest, *, isolated: bool) -> Optional[Manifest]:
    metadata = target["metadata"]
    others: Mapping[str, str] = metadata.get("labels") or {}
    off: Dict[str, Optional[str]] = {key: None for key in others if key != LABEL}
    if not off:
        return None
    return _labels(**off, **{LABEL: metadata["uid"] if isolated else None})


def _detached(target: Manifest, texts: Texts) -> Optional[Manifest]:
    allowed = texts.get(DETACH) == "true" and texts.get(DIRECTION) == "both"
    return None if allowed else _stripped(target, isolated=True)


def _released(target: Manifest, texts: Texts) -> Optional[Manifest]:
    isolated = LABEL in (target["metadata"].get("labels") or {})
    return _labels(**{LABEL: None}) if isolated and texts.get(TTL) == "off" else None


OF_LABELS = (
    Rule(
        "labels a pod as isolated with the pod's own uid only",
        f"{_NOW}[?'{LABEL}'].orValue({_UID}) == {_UID} || {_NOW}[?'{LABEL}'] == {_WAS}[?'{LABEL}']",
        broken_by=lambda *_: _labels(**{LABEL: "another"}),
    ),
    Rule(
        "takes labels off a pod only where the pod is isolated then",
        f"{_NOW}[?'{LABEL}'].orValue('') == {_UID} || {_KEEPS_LABELS}",
        broken_by=lambda target, _: _stripped(target, isolated=False),
    ),
    Rule(
        f"gives a pod no label but {LABEL}, and changes none",
        f"{_NOW}.all(k, k == '{LABEL}' || {_WAS}[?k] == {_NOW}[?k])",
        broken_by=lambda *_: _labels(**{"falco-check": "dry-run"}),
    ),
    Rule(
        f"takes labels off a pod only with {DETACH}, and direction both",
        f"params.data.{DETACH} == 'true' && params.data.{DIRECTION} == 'both' || {_KEEPS_LABELS}",
        settings=(DETACH, DIRECTION),
        broken_by=_detached,
    ),
    Rule(
        f"releases no pod without {TTL}",
        f"params.data.{TTL} != 'off' || !('{LABEL}' in {_WAS}) || '{LABEL}' in {_NOW}",
        settings=(TTL,),
        broken_by=_released,
    ),
)

_ONLY_WITH_TTL = Rule(f"deletes nothing without {TTL}", f"params.data.{TTL} != 'off'", (TTL,))


def _policy(target: Manifest, texts: Texts, kind: PolicyKind = NETWORK_POLICY) -> Dict[str, Any]:
    types = network_policy.directions(texts.get(DIRECTION, "both"))
    reachable = Reachable(
        networks(texts.get(CIDRS, "")),
        namespaces(texts.get(NAMESPACES, "")),
        texts.get(DNS) == "true",
    )
    return denying.isolating(kind, Pod(target), types, reachable)


def _of_kind(kind: PolicyKind, *, name: str = "", **spec: Any) -> Body:
    """A policy of a kind, but for its name, or fields of its spec; None leaves one out."""

    def body(target: Manifest, texts: Texts) -> Manifest:
        policy = _policy(target, texts, kind)
        metadata = {**policy["metadata"], **({"name": name} if name else {})}
        changed = {key: v for key, v in {**policy["spec"], **spec}.items() if v is not None}
        return {**policy, "metadata": metadata, "spec": changed}

    return body


def _spec(**changes: Any) -> Body:
    def body(target: Manifest, texts: Texts) -> Manifest:
        policy = _policy(target, texts)
        return {**policy, "spec": {**policy["spec"], **changes}}

    return body


def _metadata(**changes: Any) -> Body:
    def body(target: Manifest, texts: Texts) -> Manifest:
        policy = _policy(target, texts)
        return {**policy, "metadata": {**policy["metadata"], **changes}}

    return body


# The labels by which a peer, ``p``, selects its namespace, and its name where that is all.
_LABELS_OF_PEER = "p.?namespaceSelector.?matchLabels.orValue({})"
_NAMED = (
    f"!has(p.podSelector) && {_LABELS_OF_PEER}.size() == 1"
    f" && '{NAMESPACE_NAME}' in {_LABELS_OF_PEER}"
    " && p.?namespaceSelector.?matchExpressions.orValue([]).size() == 0"
)
_NAME = f"{_LABELS_OF_PEER}[?'{NAMESPACE_NAME}'].orValue('')"
_ASKS_DNS = (
    f"params.data.{DNS} == 'true' && {_NAME} == '{DNS_NAMESPACE}'"
    " && r.?ports.orValue([]).size() > 0"
    f" && r.ports.all(t, has(t.port) && t.port == {DNS_PORT} && !has(t.endPort))"
)


def _peers(holds: str) -> str:
    """CEL: every rule, ``r``, names its peers, and this holds of each, ``p``."""
    both = (("ingress", "from"), ("egress", "to"))
    return " && ".join(
        f"object.spec.?{direction}.orValue([]).all(r, r.?{peers}.orValue([]).size() > 0"
        f" && r.{peers}.all(p, {holds}))"
        for direction, peers in both
    )


_EVERYTHING = [{"ipBlock": {"cidr": "0.0.0.0/0"}}]

OF_POLICIES = (
    Rule(
        f"stores no NetworkPolicy but {POLICY_PREFIX}*",
        f"object.metadata.name.startsWith('{POLICY_PREFIX}')",
        broken_by=_metadata(name="falco-check"),
    ),
    Rule(
        "selects with its NetworkPolicy exactly one isolated pod",
        f"{_SELECTED} != '' && object.spec.podSelector.matchLabels.size() == 1"
        " && object.spec.podSelector.?matchExpressions.orValue([]).size() == 0",
        broken_by=_spec(podSelector={}),
    ),
    Rule(
        "stores a NetworkPolicy that the pod owns which it selects",
        "object.metadata.?ownerReferences.orValue([]).size() == 1 &&"
        " object.metadata.ownerReferences.all(o, o.apiVersion == 'v1' && o.kind == 'Pod'"
        f" && o.uid == {_SELECTED})",
        broken_by=_metadata(ownerReferences=[]),
    ),
    Rule(
        "replaces no NetworkPolicy of others",
        f"oldObject == null || {_LABELLED} == {_SELECTED}",
    ),
    Rule(
        "allows with its NetworkPolicy networks and namespaces only",
        _peers(f"has(p.ipBlock) || {_NAMED}"),
        broken_by=_spec(policyTypes=["Egress"], egress=[{}]),
    ),
    Rule(
        f"allows with its NetworkPolicy the networks of {CIDRS} only",
        _peers(f"!has(p.ipBlock) || p.ipBlock.cidr in params.data.{CIDRS}.split(',')"),
        settings=(CIDRS,),
        broken_by=_spec(policyTypes=["Ingress"], ingress=[{"from": _EVERYTHING}]),
    ),
    Rule(
        f"allows with its NetworkPolicy the namespaces of {NAMESPACES} only, and DNS with {DNS}",
        _peers(f"has(p.ipBlock) || {_NAME} in params.data.{NAMESPACES}.split(',') || {_ASKS_DNS}"),
        settings=(NAMESPACES, DNS),
        broken_by=_spec(policyTypes=["Ingress"], ingress=[{"from": [in_namespace("falco-check")]}]),
    ),
    Rule(
        f"denies with its NetworkPolicy the traffic of {DIRECTION}",
        "['Ingress', 'Egress'].all(t, t in object.spec.?policyTypes.orValue([])"
        f" || !(params.data.{DIRECTION} in ['both', t.lowerAscii()]))",
        settings=(DIRECTION,),
        broken_by=lambda target, texts: _spec(
            policyTypes=["Ingress" if texts.get(DIRECTION) == "egress" else "Egress"]
        )(target, texts),
    ),
)

CHANGES: Tuple[Changes, ...] = (
    Changes(
        "pods",
        labels=True,
        rules=OF_LABELS,
        allowed=lambda target, _: _labels(**{LABEL: target["metadata"]["uid"]}),
    ),
    Changes(
        "pods",
        operations=(DELETE,),
        rules=(
            Rule(
                "deletes no pod but isolated ones",
                f"{_LABELLED} == {_UID}",
                broken_by=lambda target, _: (
                    None
                    if LABEL in (target["metadata"].get("labels") or {})
                    else deletion(target, GRACE)
                ),
            ),
            Rule(
                f"deletes a pod with {GRACE} seconds of grace",
                grace_is(f"'{GRACE}'"),
                broken_by=lambda target, _: deletion(target, GRACE - 1),
            ),
            BY_UID,
            _ONLY_WITH_TTL,
        ),
    ),
    Changes(
        "networkpolicies",
        group="networking.k8s.io",
        operations=(CREATE, UPDATE),
        rules=OF_POLICIES,
        asked_of="pods",
        allowed=_policy,
    ),
    Changes(
        "networkpolicies",
        group="networking.k8s.io",
        operations=(DELETE,),
        rules=(
            Rule(
                "deletes no NetworkPolicy of others",
                f"oldObject.metadata.name.startsWith('{POLICY_PREFIX}') && {_LABELLED} != ''",
                broken_by=lambda target, _: (
                    None
                    if target["metadata"]["name"].startswith(POLICY_PREFIX)
                    else deletion(target, 0)
                ),
            ),
            BY_UID,
            _ONLY_WITH_TTL,
        ),
    ),
    *changes_of_plugins.changes(_of_kind),
)
