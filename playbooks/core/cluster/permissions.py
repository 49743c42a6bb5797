"""What a playbook may ask of the Kubernetes API, declared beside its reaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping, Optional, Sequence, Tuple

from playbooks.core.settings import names

# Stands for the namespace in which the function itself is.
OWN = "its own"

# Stands for a setting whose text is not known, as it comes from elsewhere: it may be any.
UNKNOWN = "?"

# What stands for none in a setting.
_OFF = "off"

# What the names of service accounts begin with where the API server names who asks.
ACCOUNTS = "system:serviceaccount:"


def account(namespace: str, name: str) -> str:
    """A ServiceAccount as the API server names it."""
    return f"{ACCOUNTS}{namespace}:{name}"


def listed(text: str) -> Tuple[str, ...]:
    """The names that the text of a setting lists; what marks one at its end is none of it."""
    return tuple(name.rstrip("?") for name in names(text))


@dataclass(frozen=True)
class Permission:
    """One RBAC rule. ``cluster_wide`` resources, such as nodes, belong to no namespace.

    ``only_with``: the setting without which it is not needed, where it is ``off`` or empty;
    ``only_for``: the one value of it with which it is, or one of those that it lists;
    ``also_with``: another setting without which it is not.
    ``only_in``: a setting and names: it is needed where the setting lists one of them.
    ``only_everywhere``: it is not granted where the playbook acts in some namespaces only, as it
    can do without.
    ``optional``: without it the playbook acts all the same, and says what it does not know.
    ``for_looks``: it is for looks at what became of actions, and granted where an engine takes any.
    ``namespace``: the only one in which it is needed, wherever the playbook may act; ``OWN``: that
    of the function.
    """

    resource: str
    verbs: Tuple[str, ...]
    group: str = ""
    cluster_wide: bool = False
    only_with: str = ""
    only_everywhere: bool = False
    namespace: str = ""
    only_for: str = ""
    only_in: Optional[Tuple[str, Tuple[str, ...]]] = None
    also_with: str = ""
    optional: bool = False
    for_looks: bool = False

    def is_needed(self, values: Mapping[str, str]) -> bool:
        """``values``: the text of every setting that is not off by default."""
        if self.only_in:
            setting, wanted = self.only_in
            text = values.get(setting, "")
            if text != UNKNOWN and not set(wanted) & set(listed(text)):
                return False
        if self.also_with and values.get(self.also_with, _OFF) in ("", _OFF):
            return False
        value = values.get(self.only_with, _OFF)
        if not self.only_with or value == UNKNOWN:
            return True
        if not self.only_for:
            return value not in ("", _OFF)
        # Nothing but true and false may be written in capitals, too.
        return self.only_for.lower() in listed(value.lower())

    def places(self, limited: Sequence[str], own: str) -> Tuple[str, ...]:
        """The namespaces in which it is granted; one that is empty stands for the whole cluster.

        ``limited``: the only ones in which the playbook acts, none for all. ``own``: that of the
        function.
        """
        if self.namespace:
            return (own if self.namespace == OWN else self.namespace,)
        return ("",) if self.cluster_wide or not limited else tuple(limited)
