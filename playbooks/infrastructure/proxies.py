"""Which proxy HTTPS goes through, as environment variables say it to most programs.

Source: https://pkg.go.dev/golang.org/x/net/http/httpproxy
"""

from __future__ import annotations

import ipaddress
from typing import Mapping, Optional


def proxy_for(host: str, environ: Mapping[str, str]) -> Optional[str]:
    """The URL in HTTPS_PROXY, unless NO_PROXY names the host: itself, a domain that it is in, a
    network that it is in, or ``*``. Names in lower case will do too."""
    proxy = _either("https_proxy", environ)
    if not proxy or any(
        _covers(part.strip(), host) for part in _either("no_proxy", environ).split(",")
    ):
        return None
    return proxy


def _either(name: str, environ: Mapping[str, str]) -> str:
    return environ.get(name.upper()) or environ.get(name) or ""


def _covers(pattern: str, host: str) -> bool:
    if pattern == "*":
        return True
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(pattern, strict=False)
    except ValueError:
        domain = pattern.lower().lstrip(".")
        return bool(domain) and f".{host.lower()}".endswith(f".{domain}")
