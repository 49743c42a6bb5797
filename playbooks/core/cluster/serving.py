"""Namespaces on which the API server itself depends: their pods answer for it."""

from __future__ import annotations

from typing import Any, Dict, Iterable, Iterator, Mapping, Optional

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
            for service in _services(manifest):
                if service and service.get("namespace"):
                    named = f"{kind} {manifest['metadata']['name']}"
                    found.setdefault(str(service["namespace"]), named)
    return found


def _services(manifest: Manifest) -> Iterator[Optional[Manifest]]:
    """None where it is a URL, or served by the API server itself."""
    for hook in manifest.get("webhooks") or ():
        yield (hook.get("clientConfig") or {}).get("service")
    yield (manifest.get("spec") or {}).get("service")
