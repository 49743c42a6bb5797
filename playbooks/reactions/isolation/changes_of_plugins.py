"""What the account of ``IsolatePod`` may change of Cilium's and Calico's policies, in CEL."""

from __future__ import annotations

from typing import Any, Callable, Tuple

from playbooks.core.cluster.changes import Body, Changes, Rule
from playbooks.core.cluster.network_policy import DNS_NAMESPACE, DNS_PORT, LABEL
from playbooks.core.cluster.policies.calico import NAME, TIER
from playbooks.core.cluster.policies.denying import NAMESPACE, ORDER, SELECTED
from playbooks.core.cluster.policies.kinds import CALICO, CILIUM
from playbooks.reactions.isolation.changes_of_policies import (
    CIDRS,
    DIRECTION,
    DNS,
    LABELLED,
    NAMESPACES,
    body,
    of_policies,
    setting,
)


def _only(what: str, *keys: str) -> str:
    """CEL: a map that has no other keys."""
    return f"dyn({what}).all(k, k in [{', '.join(map(repr, keys))}])"


def _of_both(holds: Callable[[str, str], str]) -> str:
    """CEL: this holds of each rule, ``r``, of both directions; of what the other side is called in
    Cilium's rules, and in Calico's."""
    both = (("ingress", "from", "source"), ("egress", "to", "destination"))
    return " && ".join(
        f"object.spec.?{direction}.orValue([]).all(r, {holds(word, side)})"
        for direction, word, side in both
    )


def _in_direction(holds: str) -> str:
    """CEL: this holds of each direction, ``t``, that is to be denied."""
    return (
        f"['Ingress', 'Egress'].all(t, !(params.data.{DIRECTION} in ['both', t.lowerAscii()])"
        f" || {holds})"
    )


# Cilium's

_CILIUM_NAME = f"e.?matchLabels[?'{NAMESPACE}'].orValue('')"
_TO_DNS = (
    f"params.data.{DNS} == 'true' && {_CILIUM_NAME} == '{DNS_NAMESPACE}'"
    " && r.?toPorts.orValue([]).size() > 0 && r.toPorts.all(p, p.ports.size() > 0"
    f" && p.ports.all(t, t.port == '{DNS_PORT}' && !has(t.endPort)))"
)


def _peers(word: str) -> str:
    names = f"r.?{word}Endpoints.orValue([])"
    nets = f"r.?{word}CIDRSet.orValue([])"
    return (
        f"{_only('r', f'{word}Endpoints', f'{word}CIDRSet', 'toPorts')}"
        f" && {names}.size() + {nets}.size() > 0"
        f" && {names}.all(e, {_only('e', 'matchLabels')} && e.matchLabels.size() == 1"
        f" && {_CILIUM_NAME} != '') && {nets}.all(c, {_only('c', 'cidr', 'except')})"
    )


def _of_cilium() -> Tuple[Rule, ...]:
    everybody = [{"fromEntities": ["all"]}]
    return (
        Rule(
            "selects with its CiliumNetworkPolicy exactly one isolated pod",
            f"{LABELLED} != '' && !has(object.specs) && !has(object.spec.nodeSelector)"
            " && object.spec.endpointSelector.?matchExpressions.orValue([]).size() == 0"
            " && object.spec.endpointSelector.?matchLabels.orValue({}).size() == 1"
            f" && object.spec.endpointSelector.matchLabels[?'{SELECTED}'].orValue('')"
            f" == {LABELLED}",
            broken_by=body(CILIUM, endpointSelector={}),
        ),
        Rule(
            "allows with its CiliumNetworkPolicy networks and namespaces only",
            _of_both(lambda word, _: _peers(word)),
            broken_by=body(CILIUM, ingress=everybody),
        ),
        Rule(
            f"allows with its CiliumNetworkPolicy the networks of {CIDRS} only",
            _of_both(
                lambda word, _: f"r.?{word}CIDRSet.orValue([]).all(c, c.cidr in {setting(CIDRS)})",
            ),
            settings=(CIDRS,),
            broken_by=body(CILIUM, ingress=[{"fromCIDRSet": [{"cidr": "0.0.0.0/0"}]}]),
        ),
        Rule(
            f"allows with its CiliumNetworkPolicy the namespaces of {NAMESPACES} only, and DNS"
            f" with {DNS}",
            _of_both(
                lambda word, _: (
                    f"r.?{word}Endpoints.orValue([]).all(e, {_CILIUM_NAME} in"
                    f" {setting(NAMESPACES)} || {_TO_DNS})"
                )
            ),
            settings=(NAMESPACES, DNS),
            broken_by=body(
                CILIUM,
                ingress=[{"fromEndpoints": [{"matchLabels": {NAMESPACE: "falco-check"}}]}],
            ),
        ),
        Rule(
            f"denies with its CiliumNetworkPolicy the traffic of {DIRECTION}",
            "!has(object.spec.enableDefaultDeny) && "
            + _in_direction(
                "(t == 'Ingress' ? object.spec.?ingressDeny : object.spec.?egressDeny)"
                ".orValue([]).size() > 0"
            ),
            settings=(DIRECTION,),
            broken_by=body(CILIUM, ingressDeny=None, egressDeny=None, ingress=[{}]),
        ),
    )


# Calico's


def _let_through(side: str) -> str:
    other = {"source": "destination", "destination": "source"}[side]
    return (
        f"r.action == 'Deny' || r.action == 'Allow' && !has(r.{other}) && has(r.{side})"
        f" && {_only('r', 'action', 'protocol', side)}"
        f" && {_only(f'r.{side}', 'nets', 'namespaceSelector', 'ports')}"
        f" && (r.{side}.?nets.orValue([]).size() > 0"
        f" || r.{side}.?namespaceSelector.orValue('') != '')"
    )


def _named(side: str) -> str:
    name = f"r.{side}.?namespaceSelector.orValue('')"
    dns = (
        f"params.data.{DNS} == 'true' && {name} == \"{NAME} == '{DNS_NAMESPACE}'\""
        f" && r.{side}.?ports.orValue([]).size() > 0"
        f" && r.{side}.ports.all(p, string(p) == '{DNS_PORT}')"
    )
    named = f'{name} == "{NAME} == \'" + n + "\'"'
    return f"{name} == '' || {setting(NAMESPACES)}.exists(n, {named}) || {dns}"


def _of_calico() -> Tuple[Rule, ...]:
    allow, deny = {"action": "Allow"}, {"action": "Deny"}

    def letting(**source: Any) -> Body:
        return body(CALICO, ingress=[{**allow, "source": source}, deny])

    return (
        Rule(
            "selects with its Calico policy exactly one isolated pod",
            f"{LABELLED} != '' && !has(object.spec.serviceAccountSelector)"
            f" && object.spec.?selector.orValue('') == \"{LABEL} == '\" + {LABELLED} + \"'\"",
            broken_by=body(CALICO, selector="all()"),
        ),
        Rule(
            "allows with its Calico policy networks and namespaces only",
            _of_both(lambda _, side: _let_through(side)),
            broken_by=body(CALICO, ingress=[allow, deny]),
        ),
        Rule(
            f"allows with its Calico policy the networks of {CIDRS} only",
            _of_both(
                lambda _, side: (
                    f"!has(r.{side}) || r.{side}.?nets.orValue([]).all(n, n in {setting(CIDRS)})"
                )
            ),
            settings=(CIDRS,),
            broken_by=letting(nets=["0.0.0.0/0"]),
        ),
        Rule(
            f"allows with its Calico policy the namespaces of {NAMESPACES} only, and DNS with"
            f" {DNS}",
            _of_both(lambda _, side: f"!has(r.{side}) || {_named(side)}"),
            settings=(NAMESPACES, DNS),
            broken_by=letting(namespaceSelector=f"{NAME} == 'falco-check'"),
        ),
        Rule(
            f"denies with its Calico policy the traffic of {DIRECTION}, before others",
            f"object.spec.?tier.orValue('') == '{TIER}'"
            f" && object.spec.?order.orValue(0) == {ORDER} && "
            + _in_direction(
                "t in object.spec.?types.orValue([])"
                " && (t == 'Ingress' ? object.spec.?ingress : object.spec.?egress).orValue([])"
                f".exists(r, r.action == 'Deny' && {_only('r', 'action')})"
            ),
            settings=(DIRECTION,),
            broken_by=body(CALICO, order=0),
        ),
    )


CHANGES: Tuple[Changes, ...] = (
    *of_policies(CILIUM, _of_cilium()),
    *of_policies(CALICO, _of_calico(), named="calico-networkpolicies"),
)
