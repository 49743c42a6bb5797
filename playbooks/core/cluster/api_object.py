"""Objects of the Kubernetes API as they were read, and the kinds that are known by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional, Tuple

from playbooks.core.instant import Instant

_RBAC = "rbac.authorization.k8s.io"
_ADMISSION = "admissionregistration.k8s.io"


def named(kind: str, name: str, namespace: str) -> str:
    """An object in words: ``pod shop/web-1``, ``node worker-3``."""
    return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"


def replaced(what: object, uid: str) -> str:
    """What is said of an object that was read by that uid, and is another one now."""
    return f"{what} of uid {uid} is gone, another has its name"


# Of the metadata, what says which object it is, as it was read.
_NAMING = ("name", "namespace", "uid", "resourceVersion")


def bare_metadata(metadata: Mapping[str, Any]) -> Dict[str, Any]:
    """No more of it than what names the object: whoever makes one decides how long the rest is."""
    return {key: metadata[key] for key in _NAMING if key in metadata}


class ReadObject:
    """What an object of the API, as it was read, says of itself: a pod, a node, a workload, or one
    of another kind. What it lacks is empty, but for the name.

    ``api_kind``: the API's name of its kind (``Pod``); ``typed``: as people type that (``pod``).
    ``api``: the one that has the kind, empty where the kind tells.
    """

    manifest: Mapping[str, Any]

    @property
    def api_kind(self) -> str:
        raise NotImplementedError

    @property
    def api(self) -> str:
        return ""

    @property
    def typed(self) -> str:
        return self.api_kind.lower()

    @property
    def name(self) -> str:
        return str(self._metadata["name"])

    @property
    def namespace(self) -> str:
        """Empty for what belongs to none."""
        return str(self._metadata.get("namespace") or "")

    @property
    def uid(self) -> str:
        return str(self._metadata.get("uid", ""))

    @property
    def resource_version(self) -> str:
        return str(self._metadata.get("resourceVersion", ""))

    @property
    def labels(self) -> Mapping[str, str]:
        return self._metadata.get("labels") or {}

    @property
    def annotations(self) -> Mapping[str, str]:
        return self._metadata.get("annotations") or {}

    def __str__(self) -> str:
        return named(self.typed, self.name, self.namespace)

    @property
    def _metadata(self) -> Mapping[str, Any]:
        return self.manifest["metadata"]  # type: ignore[no-any-return]


@dataclass(frozen=True)
class ObjectKind:
    """As the API has it: ``RoleBinding``, ``rolebindings``, and what group and version serve it.
    ``cluster_wide``: its objects belong to no namespace."""

    kind: str
    resource: str
    group: str = ""
    cluster_wide: bool = False
    version: str = "v1"

    @property
    def api(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str = "") -> Tuple[str, ...]:
        """Where its objects are: those of a namespace, or all."""
        api = ("apis", self.group, self.version) if self.group else ("api", self.version)
        place = ("namespaces", namespace) if namespace and not self.cluster_wide else ()
        return (*api, *place, self.resource)

    @property
    def typed(self) -> str:
        """As people type it: ``rolebinding``."""
        return self.kind.lower()


# What audit alerts report: objects that grant rights, run programs or hold credentials.
KINDS = (
    ObjectKind("RoleBinding", "rolebindings", _RBAC),
    ObjectKind("ClusterRoleBinding", "clusterrolebindings", _RBAC, cluster_wide=True),
    ObjectKind("Role", "roles", _RBAC),
    ObjectKind("ClusterRole", "clusterroles", _RBAC, cluster_wide=True),
    ObjectKind("ServiceAccount", "serviceaccounts"),
    ObjectKind("Secret", "secrets"),
    ObjectKind("ConfigMap", "configmaps"),
    ObjectKind("Deployment", "deployments", "apps"),
    ObjectKind("DaemonSet", "daemonsets", "apps"),
    ObjectKind("Job", "jobs", "batch"),
    ObjectKind("CronJob", "cronjobs", "batch"),
    ObjectKind(
        "ValidatingWebhookConfiguration",
        "validatingwebhookconfigurations",
        _ADMISSION,
        cluster_wide=True,
    ),
    ObjectKind(
        "MutatingWebhookConfiguration",
        "mutatingwebhookconfigurations",
        _ADMISSION,
        cluster_wide=True,
    ),
)


def kind_of(typed: str) -> Optional[ObjectKind]:
    """By the name of a kind, however it is capitalized."""
    return next((kind for kind in KINDS if kind.typed == typed.lower()), None)


@dataclass(frozen=True)
class ApiObject(ReadObject):
    """One of any kind."""

    kind: ObjectKind
    manifest: Mapping[str, Any]

    @property
    def api_kind(self) -> str:
        return self.kind.kind

    @property
    def api(self) -> str:
        return self.kind.api

    @property
    def created(self) -> Instant:
        return Instant.parse(self._metadata["creationTimestamp"])

    @property
    def finalizers(self) -> Tuple[str, ...]:
        return tuple(self._metadata.get("finalizers") or ())

    @property
    def is_terminating(self) -> bool:
        return bool(self._metadata.get("deletionTimestamp"))
