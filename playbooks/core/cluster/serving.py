"""Namespaces on which the API server itself depends: their pods answer for it."""

from __future__ import annotations

from typing import Any, Dict, Iterable, Iterator, Mapping, Tuple

Manifest = Mapping[str, Any]

# Kinds that name a Service which the API server calls. All belong to no namespace.
# Sources: https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
# and https://kubernetes.io/docs/concepts/extend-kubernetes/api-extension/apiserver-aggregation/
SERVING = ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration", "APIService")


def serving(listed: Iterable[Iterable[Manifest]]) -> Dict[str, str]:
    """Namespace and what it serves, in words. ``listed``: the objects of each of ``SERVING``."""
    found: Dict[str, str] = {}
    for kind, manifests in zip(SERVING, listed):
        for manifest in manifests:
            for namespace in _namespaces(manifest):
                found.setdefault(namespace, f"{kind} {manifest['metadata']['name']}")
    return found


def _namespaces(manifest: Manifest) -> Iterator[str]:
    for service in _services(manifest):
        if service.get("namespace"):
            yield str(service["namespace"])


def _services(manifest: Manifest) -> Tuple[Manifest, ...]:
    """Null where it is a URL, or served by the API server itself."""
    hooks = manifest.get("webhooks") or ()
    called = [(hook.get("clientConfig") or {}).get("service") for hook in hooks]
    called.append((manifest.get("spec") or {}).get("service"))
    return tuple(service for service in called if service)
