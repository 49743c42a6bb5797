"""What an alert points at. A claim, because nothing of it is proven yet."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Iterable, Mapping, Optional, Tuple

# Sources whose alerts can be about a pod. Everything else (internal, aws_cloudtrail, okta, github,
# gcp_auditlog, ...) never is, whatever its fields say.
POD_SOURCES = ("syscall", "k8s_audit")

# Families of fields: of the namespace, the name, and the uid of a pod.
_K8S = ("k8s.ns.name", "k8s.pod.name", "k8s.pod.uid", "k8s.pod.id")
_K8SMETA = ("k8smeta.ns.name", "k8smeta.pod.name", "k8smeta.pod.uid")
_TARGET = ("ka.target.namespace", "ka.target.name")

# What is read of an alert's fields.
_FIELDS = (
    *("container.id", *_K8S, *_K8SMETA),
    *("ka.target.resource", *_TARGET, "ka.response.code"),
)

# Characters of a name, at most: those of an id are fewer.
_LONGEST = 253

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.\-]*[A-Za-z0-9])?")
_CONTAINER_ID = re.compile(r"[0-9a-f]{12,64}", re.ASCII)


@dataclass(frozen=True)
class Claim:
    """Each part is empty where the alert does not give it.

    ``host``: the alert is about a process of the node itself (``container.id`` is ``host``).
    ``node``: the node's name as far as the alert knows it, its top-level ``hostname``.
    ``other_uids``: uids beside ``uid`` that other fields give: of a static pod there are two.
    ``unusable``: an id or name that was given, but cannot be one: it proves nothing, and is not the
    same as absent. ``conflict``: fields that contradict each other, in words. ``succeeded``: of an
    audit alert, whether the call did that it reports.
    """

    namespace: str = ""
    pod: str = ""
    uid: str = ""
    container_id: str = ""
    host: bool = False
    node: str = ""
    other_uids: Tuple[str, ...] = ()
    unusable: str = ""
    conflict: str = ""
    succeeded: bool = False

    @classmethod
    def of(cls, source: str, hostname: str, fields: Mapping[str, Any]) -> Claim:
        """Read the claim of an alert's fields.

        Namespace, name and uid may come from each of three families of fields: ``k8s.*``,
        ``k8smeta.*``, and ``ka.target.*`` where the audited resource is a pod. Those that are given
        have to agree. Alerts about one target, of which thousands may come, are read once; what is
        too long to be a name is not remembered.
        """
        if source not in POD_SOURCES:
            return cls()
        read = tuple((key, fields[key]) for key in _FIELDS if key in fields)
        texts = (hostname, *(value for _, value in read))
        if all(type(text) is str and len(text) <= _LONGEST for text in texts):
            return _of_text(source, hostname, read)
        return cls._of(source, hostname, dict(read))

    @classmethod
    def _of(cls, source: str, hostname: str, fields: Mapping[str, Any]) -> Claim:
        node = _node(hostname)
        families = (_family(fields, *_K8S), _family(fields, *_K8SMETA), _audit(fields))
        namespaces = distinct(family.namespace for family in families)
        pods = distinct(family.pod for family in families)
        uids = distinct(uid for family in families for uid in (family.uid, *family.other_uids))
        container = fields.get("container.id")
        if container == "host":
            named = ", ".join((*pods, *uids))
            conflict = f"container.id is host, and yet it names pod {named}" if named else ""
            return cls(host=True, node=node, conflict=conflict)
        container_id, unusable = _container_id(container)
        return cls(
            namespace="".join(namespaces[:1]),
            pod="".join(pods[:1]),
            uid="".join(uids[:1]),
            container_id=container_id,
            node=node,
            other_uids=uids[1:],
            unusable=", ".join(distinct((unusable, *(family.unusable for family in families)))),
            conflict=_conflict(namespace=namespaces, pod=pods),
            succeeded=source == "k8s_audit" and families[-1].succeeded,
        )

    @property
    def has_id(self) -> bool:
        """Whether it gives anything that could prove a pod."""
        return bool(self.uid or self.container_id)

    @property
    def points_at_pod(self) -> bool:
        return bool(self.pod or self.has_id or self.unusable)


@lru_cache(maxsize=4096)
def _of_text(source: str, hostname: str, fields: Tuple[Tuple[str, str], ...]) -> Claim:
    return Claim._of(source, hostname, dict(fields))


def _audit(fields: Mapping[str, Any]) -> Claim:
    if fields.get("ka.target.resource") != "pods":
        return Claim()
    # 101 answers exec, attach and port-forward, which switch protocols.
    code = str(fields.get("ka.response.code"))
    return dataclasses.replace(
        _family(fields, *_TARGET),
        succeeded=code == "101" or re.fullmatch(r"2\d\d", code, re.ASCII) is not None,
    )


def _family(fields: Mapping[str, Any], namespace: str, pod: str, *uids: str) -> Claim:
    unusable = (
        f"{key} {fields[key]!r:.80}"
        for key in (namespace, pod, *uids)
        if _given(fields.get(key)) and not _name(fields[key])
    )
    given = distinct(_name(fields.get(key)) for key in uids)
    return Claim(
        namespace=_name(fields.get(namespace)),
        pod=_name(fields.get(pod)),
        uid="".join(given[:1]),
        other_uids=given[1:],
        unusable=", ".join(unusable),
    )


def distinct(values: Iterable[Optional[str]]) -> Tuple[str, ...]:
    """Those that are not empty, each once, in their order."""
    return tuple(dict.fromkeys(value for value in values if value))


def _conflict(**parts: Tuple[str, ...]) -> str:
    found = (f"{part} {' and '.join(given)}" for part, given in parts.items() if len(given) > 1)
    return ", ".join(found)


def _container_id(value: Any) -> Tuple[str, str]:
    """The usable id, and what was given instead of one."""
    if not _given(value):
        return "", ""
    if isinstance(value, str) and _CONTAINER_ID.fullmatch(value.lower()):
        return value.lower(), ""
    return "", f"container.id {value!r:.80}"


def _given(value: Optional[Any]) -> bool:
    return value is not None and value not in ("", "<NA>")


def _node(hostname: str) -> str:
    """The name that the kubelet makes of a host's name.

    Source: k8s.io/kubernetes, pkg/util/node, GetHostname.
    """
    return _name(hostname.strip().lower())


def _name(value: Any) -> str:
    """A Kubernetes name, or empty: names never hold a slash."""
    usable = isinstance(value, str) and value != "<NA>" and len(value) <= _LONGEST
    return value if usable and _NAME.fullmatch(value) else ""
