"""What an alert points at. A claim, because nothing of it is proven yet."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Mapping, Optional, Tuple

# Sources whose alerts can be about a pod. Everything else (internal, aws_cloudtrail, okta, github,
# gcp_auditlog, ...) never is, whatever its fields say.
POD_SOURCES = ("syscall", "k8s_audit")

_CONTAINER_ID = re.compile(r"[0-9a-f]{12,64}", re.ASCII)


@dataclass(frozen=True)
class Claim:
    """Each part is empty where the alert does not give it.

    ``host``: the alert is about a process of the node itself (``container.id`` is ``host``).
    ``node``: the node's name as far as the alert knows it, its top-level ``hostname``.
    ``unusable``: a container id or pod uid that was given, but cannot be one: it proves nothing,
    and is not the same as absent.
    """

    namespace: str = ""
    pod: str = ""
    uid: str = ""
    container_id: str = ""
    host: bool = False
    node: str = ""
    unusable: str = ""
    succeeded: bool = False

    @classmethod
    def of(cls, source: str, hostname: str, fields: Mapping[str, Any]) -> Claim:
        """Read the claim of an alert's fields.

        Namespace, name and uid come from one family of fields: the first of ``k8s.*``,
        ``k8smeta.*`` and ``ka.target.*`` (where the audited resource is a pod) that gives namespace
        and name, else the first that gives any of a pod's name or uid.
        """
        if source not in POD_SOURCES:
            return cls()
        container = fields.get("container.id")
        if container == "host":
            return cls(host=True, node=_name(hostname))
        families = (_k8s(fields), _k8smeta(fields), _audit(fields))
        chosen = next(
            (family for family in families if family.namespace and family.pod),
            next((family for family in families if family.pod or family.uid), cls()),
        )
        container_id, unusable = _container_id(container)
        return cls(
            namespace=chosen.namespace,
            pod=chosen.pod,
            uid=chosen.uid,
            container_id=container_id,
            node=_name(hostname),
            unusable=unusable or chosen.unusable,
            succeeded=source == "k8s_audit" and chosen.succeeded,
        )

    @property
    def has_id(self) -> bool:
        """Whether it gives anything that could prove a pod."""
        return bool(self.uid or self.container_id)

    @property
    def points_at_pod(self) -> bool:
        return bool(self.pod or self.has_id or self.unusable)


def _k8s(fields: Mapping[str, Any]) -> Claim:
    uid_field = "k8s.pod.uid" if _given(fields.get("k8s.pod.uid")) else "k8s.pod.id"
    return _family(fields, "k8s.ns.name", "k8s.pod.name", uid_field)


def _k8smeta(fields: Mapping[str, Any]) -> Claim:
    return _family(fields, "k8smeta.ns.name", "k8smeta.pod.name", "k8smeta.pod.uid")


def _audit(fields: Mapping[str, Any]) -> Claim:
    if fields.get("ka.target.resource") != "pods":
        return Claim()
    # 101 answers exec, attach and port-forward, which switch protocols.
    code = str(fields.get("ka.response.code"))
    return Claim(
        namespace=_name(fields.get("ka.target.namespace")),
        pod=_name(fields.get("ka.target.name")),
        succeeded=code == "101" or re.fullmatch(r"2\d\d", code, re.ASCII) is not None,
    )


def _family(fields: Mapping[str, Any], namespace: str, pod: str, uid: str) -> Claim:
    given = fields.get(uid)
    usable = _name(given)
    return Claim(
        namespace=_name(fields.get(namespace)),
        pod=_name(fields.get(pod)),
        uid=usable,
        unusable=f"{uid} {given!r:.80}" if _given(given) and not usable else "",
    )


def _container_id(value: Any) -> Tuple[str, str]:
    """The usable id, and what was given instead of one."""
    if not _given(value):
        return "", ""
    if isinstance(value, str) and _CONTAINER_ID.fullmatch(value.lower()):
        return value.lower(), ""
    return "", f"container.id {value!r:.80}"


def _given(value: Optional[Any]) -> bool:
    return value is not None and value not in ("", "<NA>")


def _name(value: Any) -> str:
    """A Kubernetes name, or empty: names are 253 characters at most and never hold a slash."""
    usable = isinstance(value, str) and value != "<NA>" and len(value) <= 253
    return (
        value if usable and re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.\-]*[A-Za-z0-9])?", value) else ""
    )
