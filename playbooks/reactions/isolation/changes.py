"""What the account of ``IsolatePod`` may change, in CEL, and what that refuses."""

from __future__ import annotations

from functools import partial
from typing import Dict, Mapping, Optional, Tuple

from playbooks.core.cluster.changes import (
    BY_UID,
    DELETE,
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
    in_namespace,
)
from playbooks.core.cluster.policies.kinds import NETWORK_POLICY
from playbooks.core.containment.isolation import GRACE
from playbooks.reactions.isolation import changes_of_plugins
from playbooks.reactions.isolation.changes_of_policies import (
    CIDRS,
    DIRECTION,
    DNS,
    NAMESPACES,
    ONLY_WITH_TTL,
    TTL,
    WAS_LABELLED,
    body,
    of_policies,
    setting,
)

DETACH = "ISOLATE_DETACH"

_UID = "oldObject.metadata.uid"
_WAS, _NOW = "variables.before_labels", "variables.after_labels"
_KEEPS_LABELS = f"{_WAS}.all(k, k == '{LABEL}' || k in {_NOW})"

# The uid that a NetworkPolicy selects, or empty.
_SELECTED = f"object.spec.podSelector.?matchLabels[?'{LABEL}'].orValue('')"


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


# Of the NetworkPolicy about a pod, with these fields of its spec.
_with = partial(body, NETWORK_POLICY)

_EVERYTHING = [{"ipBlock": {"cidr": "0.0.0.0/0"}}]

OF_NETWORK_POLICIES = (
    Rule(
        "selects with its NetworkPolicy exactly one isolated pod",
        f"{_SELECTED} != '' && object.spec.podSelector.matchLabels.size() == 1"
        " && object.spec.podSelector.?matchExpressions.orValue([]).size() == 0",
        broken_by=_with(podSelector={}),
    ),
    Rule(
        "allows with its NetworkPolicy networks and namespaces only",
        _peers(f"has(p.ipBlock) || {_NAMED}"),
        broken_by=_with(policyTypes=["Egress"], egress=[{}]),
    ),
    Rule(
        f"allows with its NetworkPolicy the networks of {CIDRS} only",
        _peers(f"!has(p.ipBlock) || p.ipBlock.cidr in {setting(CIDRS)}"),
        settings=(CIDRS,),
        broken_by=_with(policyTypes=["Ingress"], ingress=[{"from": _EVERYTHING}]),
    ),
    Rule(
        f"allows with its NetworkPolicy the namespaces of {NAMESPACES} only, and DNS with {DNS}",
        _peers(f"has(p.ipBlock) || {_NAME} in {setting(NAMESPACES)} || {_ASKS_DNS}"),
        settings=(NAMESPACES, DNS),
        broken_by=_with(policyTypes=["Ingress"], ingress=[{"from": [in_namespace("falco-check")]}]),
    ),
    Rule(
        f"denies with its NetworkPolicy the traffic of {DIRECTION}",
        "['Ingress', 'Egress'].all(t, t in object.spec.?policyTypes.orValue([])"
        f" || !(params.data.{DIRECTION} in ['both', t.lowerAscii()]))",
        settings=(DIRECTION,),
        broken_by=lambda target, texts: body(
            NETWORK_POLICY,
            policyTypes=["Ingress" if texts.get(DIRECTION) == "egress" else "Egress"],
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
                f"{WAS_LABELLED} == {_UID}",
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
            ONLY_WITH_TTL,
        ),
    ),
    *of_policies(NETWORK_POLICY, OF_NETWORK_POLICIES, selected=_SELECTED),
    *changes_of_plugins.CHANGES,
)
