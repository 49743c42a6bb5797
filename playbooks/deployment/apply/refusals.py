"""What the API server refuses for the same cause of many objects, said once."""

from __future__ import annotations

import re
from typing import Dict, List, Sequence, Tuple

# As an error of ours begins: the call that was refused.
_CALL = re.compile(r"^(?:GET|POST|PUT|PATCH|DELETE) \S+: ")
_STATUS = re.compile(r" \(\d{3}\)$")

# As RBAC refuses a request. Source: k8s.io/apiserver, responsewriters.ForbiddenErrorf.
_FORBIDDEN = re.compile(
    r'is forbidden: (User ".*?") cannot (\w+) resource "([^"]+)" in API group "[^"]*"'
    r'( in the namespace "[^"]+"| at the cluster scope)$'
)


def once(lines: Sequence[str]) -> List[str]:
    """Each cause once, in the order of the first of each; a line that is alone is left as it is."""
    causes: Dict[Tuple[str, ...], List[Tuple[str, str]]] = {}
    for line in lines:
        cause = _STATUS.sub("", _CALL.sub("", line))
        forbidden = _FORBIDDEN.search(cause)
        if forbidden:
            user, verb, resource, where = forbidden.groups()
            causes.setdefault((user, verb, where), []).append((line, resource))
        else:
            causes.setdefault((cause,), []).append((line, ""))
    return [_said(key, found) for key, found in causes.items()]


def _said(key: Tuple[str, ...], found: Sequence[Tuple[str, str]]) -> str:
    if len({line for line, _ in found}) == 1:
        return found[0][0]
    if len(key) == 1:
        return f"{key[0]} ({len(found)} objects)"
    user, verb, where = key
    resources = ", ".join(dict.fromkeys(resource for _, resource in found))
    return f"{user} cannot {verb} {resources}{where}"
