"""What the account of a playbook may change where its role gives it more: declared beside the
reaction, and rendered into admission policies.

Rules are CEL, as the API server evaluates it in a ValidatingAdmissionPolicy: of ``object`` (null
for a deletion), ``oldObject`` (null for a creation), ``request``, and of the deployed settings, as
``params.data.NAME``.
Source: https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Callable, Mapping, Optional, Tuple

from playbooks.core.cluster.manifest import Manifest

CREATE, UPDATE, DELETE, CONNECT = "CREATE", "UPDATE", "DELETE", "CONNECT"

# The deployed settings that rules read, as text; for ``check`` also the account's name.
Texts = Mapping[str, str]
ACCOUNT = "account"

# The body of a request about an object: a merge patch, an object to create, or DeleteOptions. None
# where the object, or the settings, are of no use for it.
Body = Callable[[Manifest, Texts], Optional[Manifest]]


@dataclass(frozen=True)
class Rule:
    """What holds of every request of the account.

    ``says``: what the playbook does while it holds, in words after "the taint playbook".
    ``settings``: the deployed settings that ``cel`` reads; where one is unknown, the rule is not
    evaluated. ``broken_by``: a request that it refuses, for ``falco-playbook check``.
    ``forbids``: instead of that, the namespaces in which it refuses every request.
    """

    says: str
    cel: str
    settings: Tuple[str, ...] = ()
    broken_by: Optional[Body] = None
    forbids: Optional[Callable[[str, Texts], bool]] = None


@dataclass(frozen=True)
class Changes:
    """What the account may do to the objects of one resource.

    ``operations``: those of which it has any by its role. Of ``UPDATE`` alone: it changes objects
    that are there, and of these nothing but the annotations ``falco/*``, the fields of the spec in
    ``spec`` and, with ``labels``, labels as ``rules`` allow; with ``annotations`` those too.
    Otherwise ``rules`` alone describe it.

    ``further``: other resources, with their groups, of which the same holds.

    ``asked_of``: the resource of the objects with which ``falco-playbook check`` tries the rules,
    by default the same. ``allowed``: a request that the playbook makes. ``named``: instead of the
    resource in the name of the admission policy, where two APIs have one of this name, or where it
    is of several.
    ``optional``: not every cluster serves it.

    ``of_steps``: of a chain, what each playbook that can be a step declares of the same resource
    and operations: a request is one of a step's, beside what ``rules`` say of all.
    """

    resource: str
    group: str = ""
    operations: Tuple[str, ...] = (UPDATE,)
    spec: Tuple[str, ...] = ()
    labels: bool = False
    rules: Tuple[Rule, ...] = ()
    asked_of: str = ""
    allowed: Optional[Body] = None
    named: str = ""
    optional: bool = False
    annotations: bool = False
    of_steps: Tuple[Tuple[str, Changes], ...] = ()
    further: Tuple[Tuple[str, str], ...] = ()

    @property
    def in_namespaces(self) -> bool:
        """Whether its objects belong to namespaces."""
        return self.resource != "nodes"

    @property
    def in_place(self) -> bool:
        """Whether it changes objects that are there, and neither makes nor deletes any."""
        return self.operations == (UPDATE,) and "/" not in self.resource

    def also(self, *rules: Rule) -> Changes:
        return replace(self, rules=(*self.rules, *rules))


def among(name: str, text: str) -> str:
    """CEL: whether a text matches one of the globs of a setting."""
    # As fnmatch, for what namespaces can be called.
    pattern = "g.replace('*', '.*').replace('?', '.').replace('[!', '[^')"
    return f"params.data.{name}.split(',').exists(g, {text}.matches('^' + {pattern} + '$'))"


def grace_is(seconds: str) -> str:
    """CEL: whether a pod is deleted with a grace period. The API server itself makes it 0 for one
    that is on no node yet, or has ended.
    Source: k8s.io/kubernetes, pkg/registry/core/pod/strategy.go, CheckGracefulDelete
    """
    given = "request.options.?gracePeriodSeconds.orValue(-1)"
    none = (
        "!has(oldObject.spec.nodeName)"
        " || oldObject.status.?phase.orValue('') in ['Succeeded', 'Failed']"
    )
    return f"string({given}) == {seconds} || {given} == 0 && ({none})"


def deletion(target: Manifest, grace: int) -> Manifest:
    """DeleteOptions for exactly this object."""
    return {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "gracePeriodSeconds": grace,
        "preconditions": {"uid": target["metadata"]["uid"]},
    }


def _any_of_its_name(target: Manifest, _: Texts) -> Manifest:
    return {k: v for k, v in deletion(target, 1).items() if k != "preconditions"}


BY_UID = Rule(
    "deletes an object with its uid as precondition",
    "request.options.?preconditions.?uid.orValue('') == oldObject.metadata.uid",
    broken_by=_any_of_its_name,
)
